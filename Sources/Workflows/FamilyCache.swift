import ChatEngine
import Foundation
import LLaMAStitch
import Support

/// The families of single models, with a slider, that are made for a user below the cache. Weights lie there as links where
/// the file system can.
public struct FamilyCache: Sendable {
  private let root: URL

  public init(cache: URL = UserDirectories.cache) { root = cache.appendingPathComponent("families") }

  /// Where the family of a model is, or will be.
  /// - Parameter model: a model directory.
  public func slider(of model: URL) throws -> (place: URL, exists: Bool) {
    let description = try FamilyDescription.read(in: model)
    let place = self.place(name: description.name, key: description.identity)
    return (place, FamilyDescription.isFamily(place))
  }

  /// Makes the family of a model: routes within it, fitted on text that it writes itself.
  /// - Parameters:
  ///   - rest: called between parts of the work; may block, to let something else have the processor.
  ///   - note: hears what is done, in a few words.
  /// - Throws: `FamilyError.unstitchable` where the model has too few blocks, and what building throws: nothing is left.
  public func makeSlider(
    of model: URL, threads: Int, rest: () -> Void = {}, note: (String) -> Void
  ) throws -> URL {
    let (place, exists) = try slider(of: model)
    if exists { return place }
    guard RouteSearch.canLeaveOut(depth: try ModelDirectory(model).configuration.blockCount) else {
      throw FamilyError.unstitchable(cause: "\(model.path) has too few blocks to leave any out; chat with it as it is")
    }
    let name = try FamilyDescription.read(in: model).name
    var options = FamilyBuilder.Options(name: name, chatTemplate: "alpaca")
    options.linksWeights = true
    let job = FamilyBuildJob(
      anchors: [model], calibration: nil, output: place, template: nil, options: options, threads: threads)
    note("the model writes text to fit on")
    try write(place) {
      _ = try job.run(note: { _ in rest() }) { progress in
        rest()
        if let words = progress.words { note(words) }
      }
    }
    return place
  }

  private func place(name: String, key: String) -> URL {
    root.appendingPathComponent("\(FamilyDescription.anchorName(from: name))-\(key.prefix(12))")
  }

  /// Another process may have been quicker.
  private func write(_ place: URL, _ body: () throws -> Void) throws {
    do { try body() } catch FileError.exists(_) where FamilyDescription.isFamily(place) {}
  }
}

extension FamilyBuilder.Progress {
  /// For a line that changes as work goes on; `nil` where there is nothing to say.
  fileprivate var words: String? {
    switch self {
    case .storing, .stored, .training, .found, .searching(_, .reading): nil
    case .writing: "writing"
    case .fitting(let done, let all): "\(done) of \(all) layers fitted"
    case .searching(_, .computing(let done, let all)): "\(done) of \(all) tokens read"
    case .searching(_, .judging(let done, _)): "\(done) spans judged"
    case .searching(_, .chaining(let done, let all)): "\(done) of \(all) sizes judged"
    }
  }
}
