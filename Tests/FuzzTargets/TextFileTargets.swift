import ChatEngine
import ChatScript
import ChatTUI
import Conversations
import FamilyFixture
import Foundation
import Settings
import Support
import Tokenizer

/// What people write: conversations, scripts, data, settings.
extension FuzzTarget {
  static let textFiles = [
    FuzzTarget("json") { bytes in
      refusing {
        let value = try JSONValue(utf8: bytes)
        let again = try JSONValue(utf8: Array(try JSONEncoder().encode(value)))
        expect(value.kind == again.kind, "the same document after it was written")
      }
    },
    FuzzTarget("conversation") { bytes in
      Scratch.file("20260101-000000-fuzz.jsonl", bytes) { url in
        refusing {
          let conversation = try SavedConversation(contentsOf: url)
          _ = ConversationExport.markdown(conversation)
          _ = try JSONValue(utf8: Array(ConversationExport.json(conversation)))
          _ = (conversation.turns, conversation.stitches, conversation.firstQuestion)
          goOn(conversation)
        }
        refusing { _ = written(try Script(contentsOf: url)) }
      }
    },
    FuzzTarget("script") { bytes in
      let name = bytes.first.map { $0 & 1 == 0 } ?? true ? "script.yaml" : "script.jsonl"
      let folder = URL(fileURLWithPath: "/")
      refusing {
        let script = try Script(text(bytes.dropFirst()), file: name, folder: folder)
        // What is written is read again, and is the same.
        var read: Script?
        let again = written(script)
        do { read = try Script(again, file: "again.yaml", folder: folder) } catch {
          expect(script.steps.isEmpty, "a script that can be read again, not \(error): \(again.debugDescription)")
        }
        expect(
          read == nil || read?.steps.map(\.action) == script.steps.map(\.action), "the same steps after it was written")
      }
    },
    FuzzTarget("data") { bytes in
      let names = ["data.jsonl", "data.json", "data.csv", "data.tsv", "data.txt", "data"]
      Scratch.file(names[Int(bytes.first ?? 0) % names.count], bytes.dropFirst()) { url in
        refusing {
          let file = try DataFile(url)
          expect(file.records.count == file.sources.count, "a source for every record")
          _ = try TrainingText.examples(
            file, tokenizer: ByteTokenizer(), template: .fallback, contextLength: 200, textLength: 64)
        }
        refusing { _ = try QuestionFile(url).questions.count }
        refusing { _ = try PromptFile(url).prompts.count }
      }
    },
    FuzzTarget("settings") { bytes in
      Scratch.file("config.yaml", bytes) { url in
        refusing {
          var settings = ChatSettings()
          try settings.readConfiguration(url)
          Scratch.file("again.yaml", Array(settings.yaml.utf8)) { url in
            var again = ChatSettings()
            do { try again.readConfiguration(url) } catch {
              expect(false, "settings that can be read again, not \(error): \(settings.yaml.debugDescription)")
            }
          }
        }
      }
    },
  ]
}

/// Opens a saved conversation in a chat, and goes on with it.
private func goOn(_ saved: SavedConversation) {
  var state = AppState.ready(width: 100, height: 30)
  _ = update(&state, .conversationOpened(saved, obstacle: nil))
  if let adapter = saved.settings.adapter { _ = update(&state, .adapterRestored(adapter, failure: nil)) }
  checkScreen(state)
  for line in ["more", "/regen", "/drop 1", "/continue", "/compare", "/keep 2", "/edit 1", "last", "/set", "/branch 1"]
  {
    _ = update(&state, .submit(line))
    state.finishReplies()
  }
  checkScreen(state)
}

/// A script as a recording of it would be.
private func written(_ script: Script) -> String {
  script.steps.reduce(into: script.headerText) { text, step in
    text += "  - \(step.action.text)\n"
    if let expectation = step.expectation { text += "    expect: \(expectation.text)\n" }
  }
}
