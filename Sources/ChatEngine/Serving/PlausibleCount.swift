import Support

extension Int {
  /// Whether it can be a count of anything that a file or a server speaks of: not negative, and so small that sums and
  /// differences of such numbers never overflow.
  package var isCount: Bool { (0...1 << 50).contains(self) }
}

extension JSONValue {
  /// A count as strangers may say it; `nil` where it is none.
  package var count: Int? { integer.flatMap { $0.isCount ? $0 : nil } }
}
