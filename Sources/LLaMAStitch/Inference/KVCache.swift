import CKernels

/// How keys and values are kept.
public enum CacheType: String, CaseIterable, Sendable {
  case f32
  /// Half the memory; each is the nearest half-precision number.
  case f16

  var code: Int32 { self == .f16 ? Int32(CK_F16) : Int32(CK_F32) }
  var size: Int { self == .f16 ? 2 : 4 }
}

/// The keys and values that one block has computed of one text or several, each up to a fixed number of positions.
///
/// Memory is reserved for all positions at once and taken as they fill. A position is overwritten when it is computed
/// anew, so forgetting is only a matter of remembering fewer positions.
public final class KVCache: Sendable {
  /// How many positions of a text fit.
  public let capacity: Int
  public let type: CacheType
  /// `[texts × keyValueHeads × capacity/16 × headDimension × 16]`: a query meets 16 keys at once.
  let keys: FloatBuffer
  /// `[texts × keyValueHeads × capacity × headDimension rounded up to 16]`
  let values: FloatBuffer
  /// `[texts × capacity × sumWidth]`, of single precision: what else a side network keeps of every position.
  let sums: FloatBuffer
  let sumWidth: Int
  /// Strides are counts of numbers.
  let keyTextStride: Int
  let valueTextStride: Int
  let keyHeadStride: Int
  let valueHeadStride: Int
  let valueStride: Int

  /// For a block of this configuration; `capacity` is rounded up to whole groups of positions.
  public convenience init(
    configuration: LlamaConfiguration, texts: Int = 1, capacity: Int, type: CacheType = .f32
  ) {
    self.init(KeptShape(configuration: configuration, sums: 0), texts: texts, capacity: capacity, type: type)
  }

  init(_ shape: KeptShape, texts: Int = 1, capacity: Int, type: CacheType = .f32) {
    let configuration = shape.configuration
    self.capacity = Self.rounded(capacity)
    self.type = type
    valueStride = Self.valueStride(configuration)
    keyHeadStride = self.capacity * configuration.headDimension
    valueHeadStride = self.capacity * valueStride
    keyTextStride = configuration.keyValueHeadCount * keyHeadStride
    valueTextStride = configuration.keyValueHeadCount * valueHeadStride
    func buffer(_ count: Int) -> FloatBuffer { FloatBuffer(count: count * type.size / MemoryLayout<Float>.size) }
    keys = buffer(texts * keyTextStride)
    values = buffer(texts * valueTextStride)
    sumWidth = shape.sums
    sums = FloatBuffer(count: texts * self.capacity * sumWidth)
  }

  /// Copies the first positions of one text to another.
  func copy(positions: Int, from source: Int, to target: Int) {
    precondition(positions <= capacity)
    let wholeGroups = Self.rounded(positions)
    copy(keys, textStride: keyTextStride, headStride: keyHeadStride, count: wholeGroups * (keyHeadStride / capacity))
    copy(values, textStride: valueTextStride, headStride: valueHeadStride, count: positions * valueStride)
    let sumTextStride = capacity * sumWidth
    sums.vector(offset: target * sumTextStride, count: positions * sumWidth).copy(
      from: sums.vector(offset: source * sumTextStride, count: positions * sumWidth))

    /// The beginning of each head's numbers.
    func copy(_ buffer: FloatBuffer, textStride: Int, headStride: Int, count: Int) {
      func floats(_ numbers: Int) -> Int { numbers * type.size / MemoryLayout<Float>.size }
      for head in stride(from: 0, to: textStride, by: headStride) {
        buffer.vector(offset: floats(target * textStride + head), count: floats(count)).copy(
          from: buffer.vector(offset: floats(source * textStride + head), count: floats(count)))
      }
    }
  }

  /// Forgets a text: its memory goes back to the system.
  func clear(text: Int) {
    func clear(_ buffer: FloatBuffer, stride: Int, size: Int) {
      let floats = stride * size / MemoryLayout<Float>.size
      buffer.clear(text * floats..<(text + 1) * floats)
    }
    clear(keys, stride: keyTextStride, size: type.size)
    clear(values, stride: valueTextStride, size: type.size)
    clear(sums, stride: capacity * sumWidth, size: MemoryLayout<Float>.size)
  }

  /// Bytes of a cache for a block of this configuration; `capacity` is rounded up to whole groups of positions.
  static func byteCount(configuration: LlamaConfiguration, capacity: Int, type: CacheType = .f32) -> Int {
    type.size * configuration.keyValueHeadCount * rounded(capacity)
      * (configuration.headDimension + valueStride(configuration))
  }

  /// The same of what a side network keeps.
  static func byteCount(_ shape: KeptShape, capacity: Int, type: CacheType = .f32) -> Int {
    byteCount(configuration: shape.configuration, capacity: capacity, type: type) + 4 * rounded(capacity) * shape.sums
  }

  private static func rounded(_ capacity: Int) -> Int {
    let group = Int(CK_KEY_BLOCK)
    return (capacity + group - 1) / group * group
  }

  private static func valueStride(_ configuration: LlamaConfiguration) -> Int {
    (configuration.headDimension + 15) / 16 * 16
  }
}

extension Network {
  /// Bytes of the KV cache of so many positions, of the stages from `first` on: computing the next token reads them.
  public func cacheBytes(positions: Int, from first: Int = 0, type: CacheType = .f32) -> Int {
    let beside = (side?.kept ?? [:]).filter { $0.key > first || first == 0 }.values.reduce(0) {
      $0 + KVCache.byteCount($1, capacity: positions, type: type)
    }
    return stages.dropFirst(first).reduce(beside) { total, stage in
      guard case .block(let block) = stage else { return total }
      return total
        + KVCache.byteCount(configuration: block.configuration, capacity: positions + virtualTokens, type: type)
    }
  }
}
