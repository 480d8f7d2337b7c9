import LLaMAStitch
print(try TrainingBenchmark.tokensPerSecond(.large, loraRank: nil, pool: ComputePool(threads: 2), rounds: 6))
