import LLaMAStitch

extension TextFamily {
  /// The slider's stops, cheapest first, with what was measured of them.
  /// - Parameter wanted: a stitch that is one of them even where the family's stops leave it out.
  /// - Returns: the stops, the measurements, and why those could not be read, in one line. They are a help: without them one
  ///   can chat all the same.
  package func describedStops(
    adapter: Adapter?, and wanted: String? = nil
  ) -> (stops: [Stop], frontier: Frontier?, problem: String?) {
    var frontier: Frontier?
    var problem: String?
    do { frontier = try Frontier.read(of: family) } catch { problem = "\(error)" }
    var stitches = family.stops
    if let wanted, !stitches.contains(where: { $0.id == wanted }),
      let stitch = family.stitches.first(where: { $0.id == wanted })
    {
      stitches.append(stitch)
      stitches.sort { ($0.flopsPerToken, $0.id) < ($1.flopsPerToken, $1.id) }
    }
    let stops = stitches.map { stitch in
      let measured = frontier?.stitches.first { $0.id == stitch.id }
      return Stop(
        id: stitch.id, route: stitch.routeText, parameters: stitch.parameters,
        flopsPerToken: Double(stitch.flopsPerToken), weightBytes: stitch.weightBytes,
        importance: adapter?.importance[stitch.id], quality: measured?.exactMatch,
        agreement: family.agreement(of: stitch, frontier),
        loss: measured?.loss,
        tokensPerSecond: measured.flatMap { $0.tokensPerSecond > 0 ? $0.tokensPerSecond : nil })
    }
    return (stops, frontier, problem)
  }

  /// Steps of the adapter that what is known of the stops was measured with. Old files do not say; the search for routes
  /// measures without one.
  package func measuredStep(_ frontier: Frontier?, _ adapter: Adapter?) -> Int? {
    guard let frontier else { return family.description.agreement == nil ? adapter?.step : nil }
    return frontier.format == nil ? adapter?.step : frontier.adapterStep
  }
}
