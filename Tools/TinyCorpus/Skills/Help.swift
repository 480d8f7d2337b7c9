import Support

/// How to use the program the model lives in.
struct Help: Skill {
  let kind = Kind.help

  func draw(_ random: inout SeededGenerator) -> Problem {
    let topic = random.pick(Self.topics)
    return Problem(
      key: topic.answer, phrasings: topic.phrasings, answer: topic.answer,
      statements: [topic.answer], mayLowercase: true)
  }

  private struct Topic {
    let answer: String
    let phrasings: Phrasings
  }

  private static func action(_ answer: String, _ paraphrases: String..., also: [String] = []) -> Topic {
    let patterns = Phrasings(
      patterns: [
        "How do I {x}?", "How can I {x}?", "What do I press to {x}?", "Which key do I use to {x}?",
        "I want to {x}.", "How to {x}?", "Can you tell me how to {x}?", "How do you {x}?",
        "What must I type to {x}?", "Tell me how to {x}.", "Is there a key to {x}?", "Can I {x}?",
        "How would I {x}?", "Show me how to {x}.",
      ], held: 2, x: paraphrases)
    return Topic(answer: answer, phrasings: patterns.joined(Phrasings(seen: also, heldOut: [])))
  }

  private static func term(_ answer: String, _ names: String..., also: [String] = []) -> Topic {
    let patterns = Phrasings(
      patterns: [
        "What is {x}?", "What does {x} mean?", "Explain {x}.", "Tell me about {x}.", "What do you mean by {x}?",
        "Can you explain {x}?", "I do not know {x}. What is it?", "What is the meaning of {x}?",
        "Please explain what {x} is.", "Could you define {x}?",
      ], held: 2, x: names)
    return Topic(answer: answer, phrasings: patterns.joined(Phrasings(seen: also, heldOut: [])))
  }

  private static let topics: [Topic] = [
    action(
      "Press Alt+Right to move the slider to a better network.", "get a better network",
      "move the slider to the right", "use a bigger model", "get better answers", "move to a larger network",
      also: [
        "What does Alt+Right do?", "What is Alt+Right for?", "How do I make you smarter?", "I want a better answer.",
      ]),
    action(
      "Press Alt+Left to move the slider to a cheaper network.", "get a cheaper network",
      "move the slider to the left", "use a smaller model", "get faster answers", "move to a smaller network",
      also: ["What does Alt+Left do?", "What is Alt+Left for?", "How do I make you faster?", "You are slow."]),
    action(
      "Press Alt+Left or Alt+Right to move the slider.", "move the slider", "use the slider", "change the network",
      "change the size", "choose another size",
      also: ["Which keys move the slider?", "How does the slider move?"]),
    action(
      "Press Esc to stop a reply.", "stop a reply", "stop your answer", "interrupt you", "cut a reply short",
      also: ["What does Esc do?", "What is Esc for?", "What is the Esc key for?", "How do I make you stop talking?"]),
    action(
      "Press Enter to send.", "send a message", "send my text", "send my question", "submit a message",
      also: ["What does Enter do?", "What is Enter for?"]),
    action(
      "Press Ctrl-J for a new line.", "start a new line", "write a second line", "add a line", "make a line break",
      also: ["What does Ctrl-J do?", "What is Ctrl-J for?"]),
    action(
      "Press F1 or type /help for help.", "get help", "see all keys", "see the commands", "open the help",
      also: [
        "What does F1 do?", "What is F1 for?", "What does /help do?", "Where is the help?", "Which keys are there?",
      ]),
    action(
      "Type /train FILE to start teaching me.", "teach you", "train you", "start training", "teach you something new",
      "start the training",
      also: ["What does /train do?", "What is /train for?", "Can you learn?"]),
    action(
      "Type /pause to pause the training.", "pause the training", "pause", "hold the training for a while",
      also: ["What does /pause do?", "What is /pause for?"]),
    action(
      "Type /resume to go on with the training.", "resume the training", "go on with the training", "continue training",
      also: ["What does /resume do?", "What is /resume for?"]),
    action(
      "Type /stop to stop the training.", "stop the training", "end the training", "stop teaching you",
      also: ["What does /stop do?", "What is /stop for?"]),
    action(
      "Type /stitch N to choose stop N of the slider.", "choose a stitch", "go to one stop of the slider",
      "pick a stitch",
      also: ["What does /stitch do?", "What is /stitch for?", "What does /stitch N do?"]),
    action(
      "Type /quit or press Ctrl-D to leave.", "leave", "quit", "exit", "close the program", "end this program",
      also: ["What does /quit do?", "What is /quit for?", "What does Ctrl-D do?", "What is Ctrl-D for?"]),
    action(
      "Press PageUp to scroll up and PageDown to scroll down.", "scroll", "scroll up", "scroll down",
      "see older messages",
      "read what I said before",
      also: ["What does PageUp do?", "What is PageUp for?", "What does PageDown do?", "What is PageDown for?"]),
    term(
      "A stitch is the first blocks of a small model joined to the last blocks of a larger one.", "a stitch",
      "stitching", "the word stitch"),
    term("An anchor is one whole pretrained model of the family.", "an anchor", "the word anchor", "anchor"),
    term(
      "The slider chooses which network answers, from cheapest to best.", "the slider", "this slider",
      "the size slider",
      also: ["What does the slider do?", "What is the slider for?", "Why is there a slider?"]),
    term(
      "The frontier is the stitches that no other stitch beats in both cost and quality.", "the frontier",
      "the frontier pane", "the word frontier"),
    term("ESTA trains all stitches of a family at once.", "ESTA", "the method ESTA", "the word ESTA"),
    term(
      "LoRA is a small update that is trained while the big weights stay frozen.", "LoRA", "a LoRA", "the word LoRA"),
    term(
      "A family is a set of models with one tokenizer, and all their stitches.", "a family", "the model family",
      "a family of models"),
    term(
      "A stitching layer is a linear map from one model to another.", "a stitching layer", "the stitching layer"),
  ]
}
