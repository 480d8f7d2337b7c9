import Forms
import LLaMAStitch
import Synchronization
import Tokenizer

/// A JSON schema or a grammar that a reply is to keep: front ends hand it on without knowing of forms.
public typealias ReplyFormSource = FormSource

/// The forms that replies of one vocabulary are asked to keep; what is found out for one reply is kept for the next.
public final class ReplyForms: Sendable {
  private let tokenizer: any Tokenizer
  private let made: Mutex<Made>
  /// Forms that are kept: the one that was asked for longest ago goes first.
  private static let most = 16

  private struct Made {
    var vocabulary: FormVocabulary?
    var forms: [(source: FormSource, form: ReplyForm)] = []

    /// A form that is kept; it is the last to go from now on.
    mutating func take(_ source: FormSource) -> ReplyForm? {
      guard let index = forms.firstIndex(where: { $0.source == source }) else { return nil }
      let found = forms.remove(at: index)
      forms.append(found)
      return found.form
    }
  }

  public init(_ tokenizer: any Tokenizer) {
    self.tokenizer = tokenizer
    made = Mutex(Made())
  }

  /// - Throws: `FormError`.
  public func form(_ source: FormSource) throws(FormError) -> ReplyForm {
    if let known = made.withLock({ $0.take(source) }) { return known }
    let grammar = try source.grammar()
    let vocabulary = made.withLock { made in
      let vocabulary = made.vocabulary ?? Self.vocabulary(of: tokenizer)
      made.vocabulary = vocabulary
      return vocabulary
    }
    let form = try ReplyForm(grammar, vocabulary: vocabulary)
    made.withLock { made in
      made.forms.append((source, form))
      if made.forms.count > Self.most { made.forms.removeFirst() }
    }
    return form
  }

  /// A tokenizer's vocabulary as forms see it.
  public static func vocabulary(of tokenizer: any Tokenizer) -> FormVocabulary {
    func bytes(isAtStart: Bool) -> [[UInt8]?] {
      (0..<tokenizer.vocabularySize).map { token in
        // What text becomes that has no token is no text.
        if token == tokenizer.unknownToken { return nil }
        var isAtStart = isAtStart
        do { return try tokenizer.bytes(of: token, isAtStart: &isAtStart) } catch { return nil }
      }
    }
    return FormVocabulary(bytes: bytes(isAtStart: false), firstBytes: bytes(isAtStart: true))
  }
}

/// A form over a tokenizer's vocabulary.
public final class ReplyForm: TokenForm {
  private let form: Form

  /// - Throws: `FormError.tooAmbiguous`.
  public init(_ grammar: Grammar, vocabulary: FormVocabulary) throws(FormError) {
    form = try Form(grammar, vocabulary: vocabulary)
  }

  public func begin(stopTokens: Set<Int>) -> any TokenConstraint { ReplyConstraint(form, stopTokens: stopTokens) }
}

/// A reply that keeps a form.
private final class ReplyConstraint: TokenConstraint {
  private let form: Form
  private let stopTokens: Set<Int>
  private let state: Mutex<(progress: Form.Progress, failure: FormError?)>

  init(_ form: Form, stopTokens: Set<Int>) {
    self.form = form
    self.stopTokens = stopTokens
    state = Mutex((form.start, nil))
  }

  func next() -> [UInt64] {
    state.withLock { state in
      do throws(FormError) {
        let next = try form.next(&state.progress)
        if !next.canEnd { return next.tokens }
        var tokens = next.tokens
        for token in stopTokens where token >> 6 < tokens.count { tokens[token >> 6] |= 1 << UInt64(token & 63) }
        return tokens
      } catch {
        state.failure = error
        return []
      }
    }
  }

  func take(_ token: Int) {
    if stopTokens.contains(token) { return }
    state.withLock { state in
      do throws(FormError) { try form.take(token, &state.progress) } catch { state.failure = error }
    }
  }

  var isComplete: Bool { state.withLock { form.isComplete($0.progress) } }
  var failure: String? { state.withLock { $0.failure?.description } }
}
