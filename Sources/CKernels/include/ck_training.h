/* Kernels of training: forward and backward of everything that is not a matrix product. */
#ifndef CK_TRAINING_H
#define CK_TRAINING_H

#endif
