import ArgumentParser

/// Checks of what options say, in words that tell what is allowed.
enum Check {
  /// - Parameter option: as the user writes it, such as `--threads`.
  static func range(_ option: String, _ value: Int, _ allowed: ClosedRange<Int>) throws {
    if !allowed.contains(value) {
      throw ValidationError("\(option) must be \(allowed.lowerBound) … \(allowed.upperBound), not \(value)")
    }
  }

  static func threads(_ value: Int) throws { try range("--threads", value, 1...1024) }

  static func positive(_ option: String, _ value: Double) throws {
    if !(value > 0 && value.isFinite) { throw ValidationError("\(option) must be a positive number, not \(value)") }
  }
}
