import Tokenizer

/// How GGML names the ways in which byte-level BPE vocabularies cut text (`tokenizer.ggml.pre`), and what the models that
/// go by these names do to text according to their own files.
struct GGUFSplitting {
  var normalizers: [TextNormalizer] = []
  var preTokenizers: [PreTokenizer]
  var ignoresMerges = false
  /// A text begins with the token for it where a file does not say whether it does, as llama.cpp takes it.
  var addsBosToken = false

  /// - Parameter file: for messages.
  /// - Returns: `nil` where the name is unknown.
  /// - Throws: `TokenizerError`.
  init?(name: String, file: String) throws(TokenizerError) {
    func isolated(_ patterns: String...) throws(TokenizerError) -> [PreTokenizer] {
      var steps: [PreTokenizer] = []
      for pattern in patterns {
        steps.append(.split(.pattern(try TextPattern(pattern, file: file)), .isolated, isInverted: false))
      }
      return steps
    }
    let bytes = PreTokenizer.byteLevel(addsSpace: false, usesPattern: false)
    switch name {
    case "gpt-2", "phi-2", "olmo", "jais", "trillion", "roberta-bpe", "exaone4", "gigachat":
      preTokenizers = TextSplitting.gpt2.preTokenizers
    case "mpt":
      normalizers = [.composed]
      preTokenizers = TextSplitting.gpt2.preTokenizers
    case "smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b":
      preTokenizers = TextSplitting.smollm.preTokenizers
    case "command-r":
      normalizers = [.composed]
      preTokenizers = TextSplitting.smollm.preTokenizers
    case "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2", "smaug-bpe", "glm4":
      preTokenizers = TextSplitting.llama3.preTokenizers
      ignoresMerges = true
      addsBosToken = !["smaug-bpe", "glm4"].contains(name)
    case "dbrx", "chatglm-bpe": preTokenizers = TextSplitting.llama3.preTokenizers
    case "qwen2", "deepseek-r1-qwen", "megrez":
      normalizers = [.composed]
      preTokenizers = TextSplitting.qwen2.preTokenizers
    case "stablelm2", "hunyuan": preTokenizers = TextSplitting.qwen2.preTokenizers
    case "qwen35":
      preTokenizers = try isolated(Self.qwen35) + [bytes]
    case "tekken":
      preTokenizers = try isolated(Self.tekken) + [bytes]
      ignoresMerges = true
      addsBosToken = true
    case "falcon":
      preTokenizers =
        try [.punctuation(.contiguous), .byteLevel(addsSpace: false, usesPattern: true), .digits(areApart: false)]
        + isolated("[0-9][0-9][0-9]")
    case "deepseek-coder":
      preTokenizers =
        try isolated("[\r\n]", #"\s?\p{L}+"#, #"\s?\p{P}+"#, Self.deepseekIdeographs)
        + [.digits(areApart: true), bytes]
    case "deepseek-llm":
      preTokenizers =
        try isolated("[\r\n]", Self.deepseekLetters, Self.deepseekPunctuation, #"\s+$"#, Self.deepseekIdeographs)
        + [.digits(areApart: true), bytes]
    case "deepseek-v3":
      preTokenizers = try isolated(#"\p{N}{1,3}"#, "[一-龥\u{3040}-ゟ゠-ヿ]+", Self.deepseekV3) + [bytes]
    default: return nil
    }
  }

  /// The name that says the same, for a file to be written; the most usual one.
  static func name(of vocabulary: BytePairVocabulary) throws(TokenizerError) -> String? {
    for name in names {
      if let splitting = try GGUFSplitting(name: name, file: ""), splitting.preTokenizers == vocabulary.preTokenizers,
        splitting.normalizers == vocabulary.normalizers, splitting.ignoresMerges == vocabulary.ignoresMerges
      {
        return name
      }
    }
    return nil
  }

  private static let names = [
    "gpt-2", "mpt", "smollm", "command-r", "llama-bpe", "dbrx", "qwen2", "stablelm2", "qwen35", "tekken", "falcon",
    "deepseek-coder", "deepseek-llm", "deepseek-v3",
  ]

  // MARK: Patterns

  private static let qwen35 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let tekken =
    #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let deepseekV3 =
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##
  private static let deepseekIdeographs = "[一-龥ࠀ-一가-\u{D7FF}]+"
  private static let deepseekPunctuation = #"\s?[!-/:-~！-／：-～‘-‟　-。]+"#
  /// Characters that are written in another form when text is normalised stand by their number.
  private static let deepseekLetters =
    #"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\x{1F7D}ᾀ-ᾴᾶ-ᾼ\x{1FBE}ῂ-ῄῆ-ῌῐ-\x{1FD3}ῖ-\x{1FDB}ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\x{2126}ℨ\x{212A}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"#
}
