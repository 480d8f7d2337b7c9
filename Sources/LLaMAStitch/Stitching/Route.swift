/// The way a stitch takes through a family: a chain of segments, each some blocks of one anchor, with a stitching layer
/// between neighbours.
///
/// An anchor is a chain of one. `small[0..<4] → large[3..<8]` is a chain of two. A chain may go into another anchor and
/// back (two-way, SN-Netv2, arXiv 2307.00154), leave an anchor and enter it again later, or lead through three anchors.
public struct Route: Hashable, Sendable {
  /// Some blocks of one anchor.
  public struct Segment: Hashable, Sendable {
    /// By index, cheapest first.
    public let anchor: Int
    public let blocks: Range<Int>

    public init(anchor: Int, blocks: Range<Int>) {
      self.anchor = anchor
      self.blocks = blocks
    }
  }

  /// The point where a route leaves one segment for the next, through a stitching layer.
  public struct Junction: Hashable, Sendable {
    /// The anchor it leaves, by index, and after how many of its blocks.
    public let from: Int
    public let exit: Int
    /// The anchor it enters, by index, and before which of its blocks.
    public let to: Int
    public let entry: Int
  }

  /// At least one. The first begins with its anchor's first block, the last ends with its anchor's last.
  public let segments: [Segment]

  public init(_ segments: [Segment]) {
    precondition(!segments.isEmpty, "a route without segments")
    self.segments = segments
  }

  /// An anchor whole.
  public init(anchor: Int, depth: Int) { self.init([Segment(anchor: anchor, blocks: 0..<depth)]) }

  /// The first `exit` blocks of one anchor, then those of another from `entry` on.
  /// - Parameter depth: of the other one.
  public init(from: Int, exit: Int, to: Int, entry: Int, depth: Int) {
    self.init([Segment(anchor: from, blocks: 0..<exit), Segment(anchor: to, blocks: entry..<depth)])
  }

  /// Whether it is an anchor whole: without stitching layers.
  public var isAnchor: Bool { segments.count == 1 }
  /// The anchor whose embedding begins the route.
  public var start: Int { segments[0].anchor }
  /// The anchor whose norm and head end the route.
  public var end: Int { segments[segments.count - 1].anchor }
  /// Blocks of the starting anchor before the first stitching layer.
  public var leadingBlockCount: Int { segments[0].blocks.count }

  /// Where its stitching layers are, in order.
  public var junctions: [Junction] {
    zip(segments, segments.dropFirst()).map {
      Junction(from: $0.anchor, exit: $0.blocks.upperBound, to: $1.anchor, entry: $1.blocks.lowerBound)
    }
  }

  /// The blocks it runs through, in order, with the segment each belongs to.
  public var blocks: [(segment: Int, anchor: Int, block: Int)] {
    segments.enumerated().flatMap { index, segment in
      segment.blocks.map { (segment: index, anchor: segment.anchor, block: $0) }
    }
  }

  // MARK: Which routes there are

  /// The ways from an anchor of depth `smaller` into one of depth `larger`: one for each entry m = 1 ..< larger, with
  /// l = clamp(⌊m·smaller/larger + ½⌋, 1, smaller); `window` − 1 more for each m with l + 1, l + 2, … where they exist.
  public static func joins(smaller: Int, larger: Int, window: Int = 1) -> [(exit: Int, entry: Int)] {
    precondition(smaller > 0 && larger > 0 && window > 0)
    return (1..<max(1, larger)).flatMap { entry in
      let nearest = nearestExit(from: smaller, to: larger, entry: entry)
      return (nearest..<nearest + window).filter { $0 <= smaller }.map { (exit: $0, entry: entry) }
    }
  }

  /// l = clamp(⌊m·a/b + ½⌋, 1, a), in whole numbers, so that no rounding of fractions decides.
  private static func nearestExit(from a: Int, to b: Int, entry m: Int) -> Int {
    min(max((2 * m * a + b) / (2 * b), 1), a)
  }

  /// All routes of a family whose anchors have these depths: the anchors, and the joins of neighbours.
  public static func all(depths: [Int], window: Int = 1) -> [Route] {
    depths.indices.map { Route(anchor: $0, depth: depths[$0]) }
      + depths.indices.dropLast().flatMap { from in
        joins(smaller: depths[from], larger: depths[from + 1], window: window).map {
          Route(from: from, exit: $0.exit, to: from + 1, entry: $0.entry, depth: depths[from + 1])
        }
      }
  }

  /// The ways from each anchor into the next larger one and back (SN-Netv2, arXiv 2307.00154), depth-aligned as nearly as
  /// blocks allow: for each number of the smaller one's blocks that can be left out, those in the middle of it.
  public static func twoWay(depths: [Int]) -> [Route] {
    depths.indices.dropLast().flatMap { anchor -> [Route] in
      let (smaller, larger) = (depths[anchor], depths[anchor + 1])
      return (1..<max(1, smaller - 1)).compactMap { count in
        let exit = (smaller - count) / 2
        // m/b ≈ l/a, as for joins.
        let (entry, end) = (
          nearestExit(from: larger, to: smaller, entry: exit),
          nearestExit(from: larger, to: smaller, entry: exit + count)
        )
        if exit < 1 || entry >= end { return nil }
        return Route([
          Segment(anchor: anchor, blocks: 0..<exit), Segment(anchor: anchor + 1, blocks: entry..<end),
          Segment(anchor: anchor, blocks: exit + count..<smaller),
        ])
      }
    }
  }

  /// What is wrong with it in a family whose anchors have these depths; `nil`: nothing.
  package func problem(depths: [Int]) -> String? {
    guard depths.indices.contains(start) else { return "a route starts in an anchor that is not there" }
    // After how many blocks of each anchor the next segment in it may begin.
    var used = depths.map { _ in 0 }
    for segment in segments {
      guard depths.indices.contains(segment.anchor), !segment.blocks.isEmpty, segment.blocks.lowerBound >= 0,
        segment.blocks.upperBound <= depths[segment.anchor]
      else { return "a route leads through blocks that are not there" }
      guard segment.blocks.lowerBound >= used[segment.anchor] else {
        return "a route leads through a block twice, or backwards"
      }
      used[segment.anchor] = segment.blocks.upperBound
    }
    guard segments[0].blocks.lowerBound == 0, segments[segments.count - 1].blocks.upperBound == depths[end] else {
      return "a route does not begin with an anchor's first block, or does not end with one's last"
    }
    return nil
  }

  // MARK: Names

  /// Whether the shares of both anchors' depths agree at each junction: l/a = m/b.
  public func isDepthAligned(depths: [Int]) -> Bool {
    junctions.allSatisfy { $0.exit * depths[$0.to] == $0.entry * depths[$0.from] }
  }

  /// The stable name: the anchors in order, then each junction's entry, with its exit where that is not the usual one:
  /// `small`, `small-large@3`, `small-large@3~2`, `small-large-small@3@2`. An anchor that the whole route leads through is
  /// named once: `small@4~2`, `small@4~2@7~5`.
  public func id(names: [String], depths: [Int]) -> String {
    let anchors =
      segments.allSatisfy { $0.anchor == start }
      ? names[start] : segments.map { names[$0.anchor] }.joined(separator: "-")
    return junctions.reduce(anchors) { id, junction in
      let usual = Self.nearestExit(from: depths[junction.from], to: depths[junction.to], entry: junction.entry)
      return id + "@\(junction.entry)" + (junction.exit == usual ? "" : "~\(junction.exit)")
    }
  }

  /// For people: `small[0..<4] → medium[3..<8]`; an anchor that goes on is named once: `small[0..<4] → [6..<8]`.
  public func text(names: [String]) -> String {
    segments.enumerated().map { index, segment in
      let goesOn = index > 0 && segments[index - 1].anchor == segment.anchor
      return (goesOn ? "" : names[segment.anchor]) + "[\(segment.blocks.lowerBound)..<\(segment.blocks.upperBound)]"
    }.joined(separator: " → ")
  }
}

extension Sequence<Route> {
  /// After how many blocks routes leave an anchor that they start in, and how many do.
  package func exits(of start: Int) -> [Int: Int] {
    reduce(into: [:]) { exits, route in
      if route.start == start, !route.isAnchor { exits[route.leadingBlockCount, default: 0] += 1 }
    }
  }
}

// MARK: - In files

extension Route: Codable {
  /// A list of segments, each `{"anchor": 0, "blocks": [0, 4]}`. Families of format 1 have one or two segments in another
  /// spelling, where the end of an anchor is not said: it is `Int.max` until `resolved`.
  public init(from decoder: any Decoder) throws {
    if let old = try? RouteOfFormat1(from: decoder) {
      self.init(old.segments)
      return
    }
    let segments = try [Segment](from: decoder)
    guard !segments.isEmpty else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no segments"))
    }
    self.init(segments)
  }

  public func encode(to encoder: any Encoder) throws { try segments.encode(to: encoder) }

  /// The same with open ends closed.
  func resolved(depths: [Int]) -> Route {
    Route(
      segments.map { segment in
        guard segment.blocks.upperBound == .max, depths.indices.contains(segment.anchor),
          segment.blocks.lowerBound <= depths[segment.anchor]
        else { return segment }
        return Segment(anchor: segment.anchor, blocks: segment.blocks.lowerBound..<depths[segment.anchor])
      })
  }
}

extension Route.Segment: Codable {
  private enum Key: String, CodingKey { case anchor, blocks }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    let blocks = try container.decode([Int].self, forKey: .blocks)
    guard blocks.count == 2, blocks[0] <= blocks[1] else {
      throw DecodingError.dataCorruptedError(forKey: .blocks, in: container, debugDescription: "not a range")
    }
    self.init(anchor: try container.decode(Int.self, forKey: .anchor), blocks: blocks[0]..<blocks[1])
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(anchor, forKey: .anchor)
    try container.encode([blocks.lowerBound, blocks.upperBound], forKey: .blocks)
  }
}

/// A route as families of format 1 spell it: an anchor, or the first blocks of one and the last of a larger one.
private struct RouteOfFormat1: Decodable {
  var start: Int
  var join: Join?

  struct Join: Decodable {
    var prefix: Int
    var end: Int
    var entry: Int
  }

  var segments: [Route.Segment] {
    guard let join else { return [Route.Segment(anchor: start, blocks: 0..<Int.max)] }
    // It leads into a larger anchor; what makes no sense has no blocks and is refused when the family is opened.
    let entry = join.end > start && join.entry > 0 ? join.entry : Int.max
    return [
      Route.Segment(anchor: start, blocks: 0..<max(0, join.prefix)),
      Route.Segment(anchor: join.end, blocks: entry..<Int.max),
    ]
  }
}
