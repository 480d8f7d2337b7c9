/// Points that belong together: one colour, one marker, one entry of the legend.
public struct Series: Sendable, Equatable {
  public struct Point: Sendable, Equatable {
    public var x: Double
    public var y: Double
    /// From where to where y may lie; drawn as the series' `spread` says.
    public var interval: ClosedRange<Double>?
    /// Written beside the point.
    public var label: String?

    public init(_ x: Double, _ y: Double, interval: ClosedRange<Double>? = nil, label: String? = nil) {
      self.x = x
      self.y = y
      self.interval = interval
      self.label = label
    }
  }

  public enum Marker: Sendable, Equatable, CaseIterable {
    case circle, square, triangle, diamond, cross, ring, none
  }

  public enum Line: Sendable, Equatable {
    case none, solid, dashed
    /// Level until the next point, then straight up or down: what is reached at each x.
    case staircase
  }

  /// How the intervals of the points are drawn.
  public enum Spread: Sendable, Equatable {
    case bars, band
  }

  /// What the legend says; a series without a name is not in it.
  public var name: String
  /// In the order of the line.
  public var points: [Point]
  public var marker: Marker
  public var line: Line
  public var spread: Spread
  /// Which colour of the palette; `nil` for the next one in the order of the series. More than the palette has begin
  /// again at its first.
  public var colour: Int?

  public init(
    _ name: String, _ points: [Point], marker: Marker = .circle, line: Line = .none, spread: Spread = .bars,
    colour: Int? = nil
  ) {
    self.name = name
    self.points = points
    self.marker = marker
    self.line = line
    self.spread = spread
    self.colour = colour
  }
}
