import Support

/// Words the skills work on.
enum WordPool {
  /// Short everyday words.
  static let common = split(
    """
    cat dog cow pig hen fox owl bee ant bat rat fish bird frog duck goat lion bear wolf deer mouse horse
    sheep tiger zebra snake whale shark eagle camel rabbit monkey turtle spider parrot
    sun moon star sky sea lake hill rock sand tree leaf rose grass river cloud storm snow rain wind ice
    fire stone field forest island ocean garden desert flower
    red blue green black white yellow brown pink grey orange purple gold
    bed cup pen box hat bag key door lamp desk book ball bell boat ship road car bus train plane bike
    table chair house clock spoon plate knife glass phone radio paper pencil window mirror bottle
    basket hammer ladder bridge castle market school kitchen
    bread milk apple egg rice salt soup cake pie jam tea honey lemon grape peach plum pear melon
    onion carrot potato tomato banana cherry butter cheese pepper sugar
    hand foot arm leg head nose ear eye hair face back knee mouth finger heart
    big small hot cold old new fast slow long short high low soft hard loud quiet happy sad kind brave
    clean dirty dark light heavy empty full early late sweet
    run jump walk swim sing read write play draw cook build open close push pull sleep dream think
    learn teach help give take find lose laugh cry
    king queen baby boy girl man woman child friend doctor farmer teacher baker sailor painter singer
    day night week month year hour morning evening winter spring summer autumn
    one two three four five six seven eight nine ten
    ring song game gift story letter number color music dance party travel village city street
    shirt shoe coat dress sock glove scarf button pocket
    jar kite nest vase yard quilt urn violin
    """)

  private static let short = common.filter { $0.utf8.count <= 6 }

  /// A word for the letter skills: mostly real, often made up from syllables, so that spelling is
  /// learned from pieces and not word by word.
  static func letterWord(_ random: inout SeededGenerator) -> String {
    if random.chance(50) { return random.pick(short) }
    return madeUp(&random)
  }

  /// A word of one to three syllables that means nothing.
  static func madeUp(_ random: inout SeededGenerator) -> String {
    let vowels = ["a", "e", "i", "o", "u"]
    let consonants = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"]
    var word = ""
    for _ in 0..<random.pick([1, 2, 2, 2, 3]) {
      word += random.pick(consonants) + random.pick(vowels)
    }
    if word.count < 3 || random.chance(50) { word += random.pick(consonants) }
    if random.chance(15) { word = random.pick(vowels) + word }
    word = String(word.prefix(6))
    let mirror = String(word.reversed())
    let rude = unwanted.contains { word.contains($0) || mirror.contains($0) }
    return rude ? madeUp(&random) : word
  }

  /// What chance must not spell, forwards or backwards.
  private static let unwanted = split(
    """
    nazi fuk fak dik tit pis fag rap nig neg kok kik bum boob homo pedo pede porn kaka pipi popo anal
    anus ano vag sod slut paki dago sadis bitu pus puta puto rat fut gas kil mur ded nude suk bas bust
    """)

  /// Whether the letters of a real word are asked for. Many real words are one piece of the tokenizer, and nothing but the
  /// word itself tells the letters of that piece; so words are tested whose pieces are in other words too.
  static func isOftenOnePiece(_ exchange: Exchange) -> Bool {
    guard exchange.kind.splitName == "word", let word = exchange.key.split(separator: ":").last else { return false }
    return common.contains { letterKey($0) == word }
  }

  static func split(_ text: String) -> [String] {
    text.split { $0 == " " || $0 == "\n" }.map(String.init)
  }
}

/// First names.
enum NamePool {
  static let names = WordPool.split(
    """
    Anna Ben Clara David Emma Felix Grace Henry Iris Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tina
    Victor Wendy Adam Bella Carl Dora Eric Fiona George Hanna Ivan Jane Kevin Lucy Mark Nina Oscar
    Petra Ralf Sara Tom Ursula Vera Walter Alice Bruno Carol Dan Ella Frank Gina Hugo Ida James Karl
    Laura Max Nora Otto Pia Rita Simon Tara Alan Betty Chris Diana Edgar Flora Gloria Harry Irene Jill
    Kim Linda Maria Nick Olive Peter Rob Stella Tim Una Wanda Amir Bao Chen Dina Elif Farid Gita Hiro
    Ines Jamal Kenji Lena Mina Nadia Omar Priya Ravi Sana Tariq Yara Zoe Ali Eva Lars Sven Ingrid
    Pablo Luis Carmen Diego Elena Marco Paolo Chiara Pierre Claire Louis Hans Greta Jan Piet Anton
    Boris Tanya Yuri Mika Timo Aino Leila Samir Rania Kofi Ama Zola Thabo
    """)

  /// A name: often made up from syllables, so that remembering is learned and not the names.
  static func draw(_ random: inout SeededGenerator) -> String {
    if random.chance(40) { return random.pick(names) }
    let word = WordPool.madeUp(&random)
    let name = word.prefix(1).uppercased() + word.dropFirst()
    // A city is no name.
    return FactPool.capitals.contains { $0.1 == name } ? draw(&random) : name
  }

  /// Names that stories and sentences of the training files may use.
  static let train = names.filter { Split.of("memory:\($0)") == .train }
}
