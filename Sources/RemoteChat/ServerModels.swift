import ChatEngine
import Support

/// The models of a server, as stops of a slider.
///
/// A stitch server lists the sizes of one family, each with its stitch; another server lists whatever it has.
package struct ServerModels: Sendable, Equatable {
  package private(set) var summary: FamilySummary
  /// What the server calls each stop.
  package private(set) var names: [String: String]
  /// The sizes of a family.
  var isFamily: Bool
  private var stitches: [String: String]

  private static let most = 1000

  /// - Parameter document: what `GET /models` answered.
  /// - Returns: `nil` where it is no list of models.
  package init?(_ document: JSONValue, server: ServerAddress) {
    guard let data = document.object?["data"]?.array else { return nil }
    let models = data.prefix(Self.most).compactMap { $0.object }.filter { $0["id"]?.string?.isEmpty == false }
    if models.isEmpty { return nil }
    let sizes = models.filter { $0["stitch"]?.object?["id"]?.string != nil }
    isFamily = !sizes.isEmpty
    names = [:]
    stitches = [:]
    var stops: [Stop] = []
    var family: String?
    for model in isFamily ? sizes : models {
      let name = model["id"]!.string!
      let stitch = model["stitch"]?.object
      let id = stitch?["id"]?.string ?? name
      // A size has several names; the one that ends in its own is the one that is meant.
      if isFamily {
        guard name.hasSuffix("/\(id)") else { continue }
        family = family ?? String(name.dropLast(id.count + 1))
      }
      if names.updateValue(name, forKey: id) != nil { continue }
      stitches[name] = id
      stops.append(Self.stop(id, model, stitch))
    }
    if stops.isEmpty { return nil }
    // Of models that nobody compared, the order is the server's.
    if isFamily { stops.sort { ($0.flopsPerToken, $0.id) < ($1.flopsPerToken, $1.id) } }
    let lengths = models.compactMap(Self.contextLength)
    let step = sizes.lazy.compactMap { $0["stitch"]?.object?["adapter_step"]?.count }.first
    let measured = sizes.lazy.compactMap { $0["stitch"]?.object?["measured_step"]?.count }.first
    summary = FamilySummary(
      name: family ?? server.name, stops: stops, contextLength: isFamily ? lengths.first ?? 0 : lengths.min() ?? 0,
      adapterStep: step, measuredStep: measured)
    summary.server = server.name
    summary.learns = false
    if server.key != nil && server.isPlain && !server.isLocal {
      summary.notes.append(
        "the key, and all that is said, goes to \(server.name) unencrypted; use https, or a tunnel, where others could listen"
      )
    }
  }

  private static func stop(_ id: String, _ model: [String: JSONValue], _ stitch: [String: JSONValue]?) -> Stop {
    // llama.cpp tells its model's sizes here.
    let meta = model["meta"]?.object
    func count(_ value: JSONValue?) -> Int { value?.count ?? 0 }
    func share(_ name: String) -> Double? { stitch?[name]?.double.flatMap { (0...1).contains($0) ? $0 : nil } }
    func positive(_ name: String) -> Double? { stitch?[name]?.double.flatMap { $0 > 0 && $0.isFinite ? $0 : nil } }
    return Stop(
      id: id, route: stitch?["route"]?.string ?? model["owned_by"]?.string ?? "",
      parameters: count(stitch?["parameters"] ?? meta?["n_params"]),
      flopsPerToken: Double(count(stitch?["flops_per_token"])),
      weightBytes: count(stitch?["weight_bytes"] ?? meta?["size"]), importance: stitch?["importance"]?.double,
      quality: share("quality"), agreement: share("agreement"), loss: positive("loss"),
      tokensPerSecond: positive("tokens_per_second"))
  }

  private static func contextLength(_ model: [String: JSONValue]) -> Int? {
    let known = ["context_length", "max_model_len", "context_window"].lazy.compactMap { model[$0]?.count }.first
    return (known ?? model["meta"]?.object?["n_ctx"]?.count ?? model["meta"]?.object?["n_ctx_train"]?.count)
      .flatMap { $0 > 0 ? $0 : nil }
  }

  /// What to ask the server for; a stitch that is no stop has its own name there.
  package func name(of stop: String) -> String { names[stop] ?? (isFamily ? "\(summary.name)/\(stop)" : stop) }

  /// The stop that a reply says it comes from.
  package func stop(of name: String?) -> String? { name.flatMap { stitches[$0] } }
}
