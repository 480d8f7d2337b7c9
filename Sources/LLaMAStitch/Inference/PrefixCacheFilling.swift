/// Trained keys and values in the cache, before those of every text.
extension KVCache {
  /// For a block, with its prefix in the first positions of each text.
  convenience init(of block: Block, texts: Int = 1, capacity: Int, type: CacheType) {
    self.init(configuration: block.configuration, texts: texts, capacity: capacity, type: type)
    guard let prefix = block.attention.prefix, let keys = prefix.keys.floatsInPlace,
      let values = prefix.values.floatsInPlace
    else { return }
    let kernels = InferenceKernels.best
    let all = UnsafeCache(self, configuration: block.configuration)
    let (keyRows, valueRows) = (UnsafeRows(keys), UnsafeRows(values))
    for text in 0..<texts {
      let cache = all.text(text)
      for position in 0..<prefix.length {
        for head in 0..<block.configuration.keyValueHeadCount {
          let column = head * block.configuration.headDimension
          kernels.storeKey(cache, head: head, position: position, keyRows.at(position, column))
          kernels.storeValue(cache, head: head, position: position, valueRows.at(position, column))
        }
      }
    }
  }
}
