import LLaMAStitch

/// A text that is to be continued by one stitch.
package struct TextRequest: Sendable {
  package var stitch: Stitch
  package var prompt: [Int]
  package var options: GenerationOptions
  /// How many of the likeliest tokens to tell of at each place; `nil`: none, and not how likely the chosen one was.
  package var alternatives: Int?

  package init(stitch: Stitch, prompt: [Int], options: GenerationOptions, alternatives: Int? = nil) {
    self.stitch = stitch
    self.prompt = prompt
    self.options = options
    self.alternatives = alternatives
  }
}

/// What comes of the texts of an order; `text` is the place in it.
package enum TextEvent: Sendable {
  case token(Int, TokenLikelihoods?, text: Int)
  /// A text has ended; `nil`: it was cancelled before it began.
  case finished(GenerationResult?, text: Int)
  /// Nothing more comes of any of them. One line: cause and remedy.
  case failed(String)
  /// The same, for what was asked: no token goes on in the form.
  case unfit(String)
}

/// Texts that were ordered together, under way.
package struct TextOrder: Sendable {
  package let number: Int
  /// Ends after the last text has. Who stops listening cancels what is left.
  package let events: AsyncStream<TextEvent>
}

/// More texts wait than may.
package struct Overloaded: Error, Equatable {
  package var waiting: Int
  /// When it may be worth asking again.
  package var retryAfter: Duration
}
