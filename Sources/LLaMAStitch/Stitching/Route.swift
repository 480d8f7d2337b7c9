/// The way a stitch takes through a family: an anchor whole, or the first blocks of a smaller anchor, a stitching
/// layer, and the last blocks of the next larger one.
public struct Route: Hashable, Sendable, Codable {
  /// The anchor it starts in, by index, cheapest first.
  public let start: Int
  /// Where it goes on; `nil` for an anchor whole.
  public let join: Join?

  /// The point where a route leaves one anchor for another.
  public struct Join: Hashable, Sendable, Codable {
    /// l: blocks `0 ..< prefix` of the starting anchor run before the stitching layer.
    public let prefix: Int
    /// The anchor it ends in, by index.
    public let end: Int
    /// m: blocks `entry...` of the ending anchor run after the stitching layer.
    public let entry: Int

    public init(prefix: Int, end: Int, entry: Int) {
      self.prefix = prefix
      self.end = end
      self.entry = entry
    }
  }

  public init(start: Int, join: Join? = nil) {
    self.start = start
    self.join = join
  }

  /// The anchor whose norm and head end the route.
  public var end: Int { join?.end ?? start }

  /// The ways from an anchor of depth `smaller` into one of depth `larger`: one for each entry m = 1 ..< larger, with
  /// l = clamp(⌊m·smaller/larger + ½⌋, 1, smaller); `window` − 1 more for each m with l + 1, l + 2, … where they exist.
  public static func joins(smaller: Int, larger: Int, window: Int = 1) -> [(prefix: Int, entry: Int)] {
    precondition(smaller > 0 && larger > 0 && window > 0)
    return (1..<max(1, larger)).flatMap { entry in
      // ⌊m·a/b + ½⌋ in whole numbers, so that no rounding of fractions decides.
      let nearest = min(max((2 * entry * smaller + larger) / (2 * larger), 1), smaller)
      return (nearest..<nearest + window).filter { $0 <= smaller }.map { (prefix: $0, entry: entry) }
    }
  }

  /// All routes of a family whose anchors have these depths: the anchors, and the joins of neighbours.
  public static func all(depths: [Int], window: Int = 1) -> [Route] {
    depths.indices.map { Route(start: $0) }
      + depths.indices.dropLast().flatMap { start in
        joins(smaller: depths[start], larger: depths[start + 1], window: window).map {
          Route(start: start, join: Join(prefix: $0.prefix, end: start + 1, entry: $0.entry))
        }
      }
  }

  /// Whether the shares of both anchors' depths agree at the join: l/a = m/b.
  public func isDepthAligned(depths: [Int]) -> Bool {
    guard let join else { return true }
    return join.prefix * depths[join.end] == join.entry * depths[start]
  }

  /// The stable name: `small`, `small-large@3`; with another l than the usual one for m, `small-large@3~2`.
  public func id(names: [String], depths: [Int]) -> String {
    guard let join else { return names[start] }
    let usual = Self.joins(smaller: depths[start], larger: depths[join.end])
      .first { $0.entry == join.entry }?.prefix
    let suffix = usual == join.prefix ? "" : "~\(join.prefix)"
    return "\(names[start])-\(names[join.end])@\(join.entry)\(suffix)"
  }

  /// For people: `small[0..<4] → medium[3..<8]`.
  public func text(names: [String], depths: [Int]) -> String {
    guard let join else { return "\(names[start])[0..<\(depths[start])]" }
    return "\(names[start])[0..<\(join.prefix)] → \(names[join.end])[\(join.entry)..<\(depths[join.end])]"
  }
}

extension Sequence<Route> {
  /// After how many blocks routes leave an anchor, and how many do.
  package func exits(of start: Int) -> [Int: Int] {
    reduce(into: [:]) { exits, route in
      if route.start == start, let join = route.join { exits[join.prefix, default: 0] += 1 }
    }
  }
}
