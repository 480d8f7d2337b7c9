/// One result a part, each written by the part that owns it and read after all have ended.
///
/// `@unchecked Sendable`: no two parts touch the same place; `ComputePool.run` orders the writes before the reads.
final class Results<Value>: @unchecked Sendable {
  private final class Place { var value: Value? }
  private let places: [Place]

  init(count: Int) { places = (0..<count).map { _ in Place() } }

  subscript(index: Int) -> Value? {
    get { places[index].value }
    set { places[index].value = newValue }
  }
}
