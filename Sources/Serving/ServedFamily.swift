import ChatEngine
import Foundation
import LLaMAStitch

/// A family as a server shows it: every stop of its slider is a model with a name.
package struct ServedFamily: Sendable {
  package let text: TextFamily
  package let adapter: Adapter?
  /// What was measured of the stops, and the steps of the adapter that it was measured with.
  let stops: [Stop]
  let measuredStep: Int?
  /// What the models are called by, before the slash.
  package let name: String
  /// How tokens are drawn where a request does not say.
  package let defaults: SamplingOptions
  /// When it was made, in seconds since 1970.
  package let created: Int

  /// - Parameter name: `nil` for the directory's.
  /// - Throws: what opening a family throws.
  package init(_ directory: URL, adapter choice: AdapterChoice, name: String? = nil) throws {
    text = try TextFamily(directory)
    adapter = try text.adapter(choice, store: text.adapterStore())
    let described = text.describedStops(adapter: adapter)
    stops = described.stops
    measuredStep = text.measuredStep(described.frontier, adapter)
    self.name = name ?? directory.standardizedFileURL.lastPathComponent
    defaults = try GenerationDefaults.read(in: directory)?.sampling ?? SamplingOptions()
    let attributes = try FileManager.default.attributesOfItem(atPath: directory.path)
    created = Int((attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0)
  }

  package func network(of stitch: Stitch) -> Network { text.family.network(stitch.route, adapter: adapter) }

  /// What a reply was made with, for those who compare replies.
  package var fingerprint: String {
    "stitch-\(text.family.identity.prefix(12))" + (adapter.map { "-step\($0.step)" } ?? "")
  }

  // MARK: Names

  /// The model whose size goes by the load.
  package var automatic: String { "\(name)/auto" }

  /// A name that a model is listed under.
  package struct Listed: Sendable {
    package var name: String
    package var stitch: Stitch
  }

  /// `tiny/small` … `tiny/large` for the stops, cheapest first; then `tiny`, the dearest one.
  package var models: [Listed] {
    let stops = text.family.stops
    var listed = stops.map { Listed(name: "\(name)/\($0.id)", stitch: $0) }
    let ends = [("small", stops.first), ("large", stops.last)]
    for case (let end, let stop?) in ends where !stops.contains(where: { $0.id == end }) {
      listed.append(Listed(name: "\(name)/\(end)", stitch: stop))
    }
    if let largest = stops.last { listed.append(Listed(name: name, stitch: largest)) }
    return listed
  }

  /// The stop that a name means: `tiny/large`, the id `large` alone, `tiny` for the dearest, `tiny@70` for the dearest
  /// that costs at most 70 % of that one.
  /// - Throws: `APIError` that names the known ones.
  package func stitch(named model: String) throws(APIError) -> Stitch {
    let models = models
    if let listed = models.first(where: { $0.name == model }) { return listed.stitch }
    if let stitch = text.family.stitches.first(where: { $0.id == model || "\(name)/\($0.id)" == model }) {
      return stitch
    }
    let stops = text.family.stops
    if model.hasPrefix("\(name)@"), let percent = Double(model.dropFirst(name.count + 1)), percent > 0, percent <= 100,
      let cheapest = stops.first, let dearest = stops.last
    {
      let most = Double(dearest.flopsPerToken) * percent / 100
      return stops.last { Double($0.flopsPerToken) <= most } ?? cheapest
    }
    throw .unknownModel(model, known: models.map(\.name) + [automatic, "\(name)@PERCENT"])
  }
}
