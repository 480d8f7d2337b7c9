import CTerminal
import ChatTUI
import Foundation

extension Terminal {
  /// Lets the user's editor have the terminal and a draft. The draft lies in a directory that nobody else can read, and
  /// which goes with whatever the editor left in it.
  /// - Returns: `draftEdited` or `editorFailed`.
  mutating func edit(_ draft: String) -> Action {
    let editor = Self.editor(ProcessInfo.processInfo.environment)
    // The name says who writes, so that `stitch doctor --clean` knows what a killed chat left.
    var template = Array(
      (FileManager.default.temporaryDirectory.path + "/stitch-draft-\(getpid())-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else {
      return .editorFailed("no temporary directory for the draft: \(String(cString: strerror(errno)).lowercased())")
    }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let directory = URL(fileURLWithPath: path)
    defer {
      // What cannot be removed lies in a directory of the system that is emptied.
      do { try FileManager.default.removeItem(at: directory) } catch {}
    }
    let file = directory.appendingPathComponent("message.md")
    guard
      FileManager.default.createFile(
        atPath: file.path, contents: Data(draft.utf8), attributes: [.posixPermissions: 0o600])
    else { return .editorFailed("the draft could not be written to \(file.path); check the disk it is on") }
    let status = ct_run(editor, file.path)
    forget()
    switch status {
    case 0: break
    case 127, -1:
      return .editorFailed("there is no editor “\(sanitiseLine(editor))”: set VISUAL or EDITOR; the draft is as it was")
    default:
      return .editorFailed("\(sanitiseLine(editor)) ended with status \(status); the draft is as it was")
    }
    guard let data = FileManager.default.contents(atPath: file.path) else {
      return .editorFailed("the editor left no file; the draft is as it was")
    }
    return .draftEdited(String(decoding: data, as: UTF8.self))
  }

  /// The user's choice, by the usual variables.
  static func editor(_ environment: [String: String]) -> String {
    for name in ["VISUAL", "EDITOR"] {
      if let editor = environment[name], !editor.trimmingWhitespace.isEmpty { return editor }
    }
    return "vi"
  }
}
