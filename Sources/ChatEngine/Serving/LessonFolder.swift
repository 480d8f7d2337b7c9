import Foundation

/// The data files in `lessons`, beside a family's directory.
struct LessonFolder {
  private let directory: URL

  init(beside family: URL) {
    directory = family.standardizedFileURL.deletingLastPathComponent().appendingPathComponent("lessons")
  }

  /// By name; none where there is no such directory.
  var lessons: [LessonFile] {
    let files = (try? FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)) ?? []
    let here = URL(fileURLWithPath: FileManager.default.currentDirectoryPath).standardizedFileURL.path + "/"
    return files.filter { ["json", "jsonl"].contains($0.pathExtension) }
      .map { file in
        let path = file.standardizedFileURL.path
        return LessonFile(
          name: file.deletingPathExtension().lastPathComponent,
          file: path.hasPrefix(here) ? String(path.dropFirst(here.count)) : path)
      }
      .sorted { $0.name < $1.name }
  }

  /// What a user means: a file, or else a lesson by its name.
  func file(of name: String) -> URL {
    if !name.contains("/"), !FileManager.default.fileExists(atPath: name),
      let lesson = lessons.first(where: { $0.name == name || $0.file.hasSuffix("/" + name) })
    {
      return URL(fileURLWithPath: lesson.file)
    }
    return URL(fileURLWithPath: name)
  }
}
