/* Kernels of inference: fixed order of summation, so that results do not depend on the batch. */
#ifndef CK_INFERENCE_H
#define CK_INFERENCE_H

#endif
