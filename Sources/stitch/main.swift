import ArgumentParser

Pretrain.main()
