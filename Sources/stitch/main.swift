Pretrain.main()
