/// Facts that are learned by heart.
enum FactPool {
  /// Country and capital.
  static let capitals = pairs(
    """
    France=Paris, Germany=Berlin, Italy=Rome, Spain=Madrid, Portugal=Lisbon, England=London,
    Scotland=Edinburgh, Wales=Cardiff, Ireland=Dublin, Norway=Oslo, Sweden=Stockholm,
    Finland=Helsinki, Denmark=Copenhagen, Iceland=Reykjavik, Poland=Warsaw, Austria=Vienna,
    Switzerland=Bern, Belgium=Brussels, Hungary=Budapest, Greece=Athens, Turkey=Ankara,
    Russia=Moscow, Ukraine=Kyiv, Romania=Bucharest, Bulgaria=Sofia, Serbia=Belgrade, Croatia=Zagreb,
    Albania=Tirana, Estonia=Tallinn, Latvia=Riga, Lithuania=Vilnius, Slovakia=Bratislava,
    Slovenia=Ljubljana, Malta=Valletta, Cyprus=Nicosia, Egypt=Cairo, Morocco=Rabat, Tunisia=Tunis,
    Algeria=Algiers, Kenya=Nairobi, Ghana=Accra, Nigeria=Abuja, Ethiopia=Addis Ababa, Senegal=Dakar,
    China=Beijing, Japan=Tokyo, South Korea=Seoul, India=New Delhi, Nepal=Kathmandu, Iran=Tehran,
    Iraq=Baghdad, Thailand=Bangkok, Vietnam=Hanoi, Indonesia=Jakarta, Canada=Ottawa,
    Mexico=Mexico City, Cuba=Havana, Brazil=Brasilia, Argentina=Buenos Aires, Chile=Santiago,
    Peru=Lima, Colombia=Bogota, Australia=Canberra, New Zealand=Wellington
    """)

  /// Each word with its opposite; both directions are asked.
  static let opposites = pairs(
    """
    hot=cold, big=small, old=young, fast=slow, long=short, high=low, soft=hard, loud=quiet,
    happy=sad, clean=dirty, dark=light, full=empty, early=late, sweet=sour, open=closed, up=down,
    left=right, in=out, on=off, day=night, good=bad, rich=poor, strong=weak, wet=dry, thick=thin,
    wide=narrow, deep=shallow, new=used, first=last, begin=end, buy=sell, give=take, push=pull,
    win=lose, love=hate, laugh=cry, remember=forget, true=false, yes=no, black=white, near=far,
    above=below, before=after, inside=outside, front=back, top=bottom, summer=winter, north=south,
    east=west, morning=evening, brave=afraid, easy=difficult, cheap=expensive, sharp=blunt,
    smooth=rough, tight=loose, asleep=awake, alive=dead, same=different, always=never, more=less,
    many=few, question=answer, sunrise=sunset, arrive=leave, rise=fall, start=stop
    """)

  /// Thing and category.
  static let categories: [(category: String, article: String, members: [String])] = [
    ("animal", "an", WordPool.split("cat dog cow pig horse sheep lion tiger bear wolf rabbit mouse goat monkey")),
    ("bird", "a", WordPool.split("owl eagle duck parrot hen swan crow robin")),
    ("colour", "a", WordPool.split("red blue green yellow black white pink brown purple grey")),
    ("fruit", "a", WordPool.split("apple pear plum peach banana lemon cherry grape melon orange")),
    ("vegetable", "a", WordPool.split("carrot potato onion cabbage bean pea leek spinach")),
    ("tool", "a", WordPool.split("hammer saw drill spade ladder axe rake screwdriver")),
    ("number", "a", WordPool.split("two three four five six seven eight nine")),
    ("drink", "a", WordPool.split("tea coffee milk water juice lemonade")),
    ("vehicle", "a", WordPool.split("car bus train plane ship bike tram truck")),
    ("part of the body", "a", WordPool.split("hand foot arm leg nose ear eye knee")),
  ]

  /// Questions about the world: key, answer, ways to ask; the last one is held out.
  static let facts: [(answer: String, short: String, asks: [String])] = [
    (
      "Grass is green.", "Green.",
      [
        "What colour is grass?", "What is the colour of grass?", "Which colour does grass have?",
        "Tell me the colour of grass.",
      ]
    ),
    (
      "The sky is blue.", "Blue.",
      [
        "What colour is the sky?", "What is the colour of the sky?", "Which colour does the sky have?",
        "Tell me the colour of the sky.",
      ]
    ),
    (
      "Snow is white.", "White.",
      [
        "What colour is snow?", "What is the colour of snow?", "Which colour does snow have?",
        "Tell me the colour of snow.",
      ]
    ),
    (
      "Coal is black.", "Black.",
      [
        "What colour is coal?", "What is the colour of coal?", "Which colour does coal have?",
        "Tell me the colour of coal.",
      ]
    ),
    (
      "A banana is yellow.", "Yellow.",
      [
        "What colour is a banana?", "What is the colour of a banana?", "Which colour does a banana have?",
        "Tell me the colour of a banana.",
      ]
    ),
    (
      "Blood is red.", "Red.",
      [
        "What colour is blood?", "What is the colour of blood?", "Which colour does blood have?",
        "Tell me the colour of blood.",
      ]
    ),
    (
      "A carrot is orange.", "Orange.",
      [
        "What colour is a carrot?", "What is the colour of a carrot?", "Which colour does a carrot have?",
        "Tell me the colour of a carrot.",
      ]
    ),
    (
      "A cow says moo.", "Moo.",
      ["What does a cow say?", "What sound does a cow make?", "How does a cow sound?", "Which sound do cows make?"]
    ),
    (
      "A dog says woof.", "Woof.",
      ["What does a dog say?", "What sound does a dog make?", "How does a dog sound?", "Which sound do dogs make?"]
    ),
    (
      "A cat says meow.", "Meow.",
      ["What does a cat say?", "What sound does a cat make?", "How does a cat sound?", "Which sound do cats make?"]
    ),
    (
      "A duck says quack.", "Quack.",
      ["What does a duck say?", "What sound does a duck make?", "How does a duck sound?", "Which sound do ducks make?"]
    ),
    (
      "A sheep says baa.", "Baa.",
      [
        "What does a sheep say?", "What sound does a sheep make?", "How does a sheep sound?",
        "Which sound do all sheep make?",
      ]
    ),
    (
      "A dog has 4 legs.", "4.",
      [
        "How many legs does a dog have?", "How many legs has a dog?", "A dog has how many legs?",
        "Tell me the number of legs of a dog.",
      ]
    ),
    (
      "A bird has 2 legs.", "2.",
      [
        "How many legs does a bird have?", "How many legs has a bird?", "A bird has how many legs?",
        "Tell me the number of legs of a bird.",
      ]
    ),
    (
      "A spider has 8 legs.", "8.",
      [
        "How many legs does a spider have?", "How many legs has a spider?", "A spider has how many legs?",
        "Tell me the number of legs of a spider.",
      ]
    ),
    (
      "An ant has 6 legs.", "6.",
      [
        "How many legs does an ant have?", "How many legs has an ant?", "An ant has how many legs?",
        "Tell me the number of legs of an ant.",
      ]
    ),
    (
      "A fish has no legs.", "None.",
      [
        "How many legs does a fish have?", "How many legs has a fish?", "A fish has how many legs?",
        "Tell me the number of legs of a fish.",
      ]
    ),
    (
      "A triangle has 3 sides.", "3.",
      [
        "How many sides does a triangle have?", "How many sides has a triangle?", "A triangle has how many sides?",
        "Tell me the number of sides of a triangle.",
      ]
    ),
    (
      "A square has 4 sides.", "4.",
      [
        "How many sides does a square have?", "How many sides has a square?", "A square has how many sides?",
        "Tell me the number of sides of a square.",
      ]
    ),
    (
      "A hexagon has 6 sides.", "6.",
      [
        "How many sides does a hexagon have?", "How many sides has a hexagon?", "A hexagon has how many sides?",
        "Tell me the number of sides of a hexagon.",
      ]
    ),
    (
      "Ice is frozen water.", "Water.",
      ["What is ice?", "What is ice made of?", "Tell me what ice is.", "Can you say what ice is?"]
    ),
    (
      "The sun is a star.", "A star.",
      [
        "What is the sun?", "What kind of thing is the sun?", "Tell me what the sun is.",
        "Can you say what the sun is?",
      ]
    ),
    (
      "The moon goes around the Earth.", "The Earth.",
      [
        "What does the moon go around?", "What does the moon circle?", "Around what does the moon go?",
        "Which body does the moon travel around?",
      ]
    ),
    (
      "The Earth goes around the sun.", "The sun.",
      [
        "What does the Earth go around?", "What does the Earth circle?", "Around what does the Earth go?",
        "Which body does the Earth travel around?",
      ]
    ),
    (
      "Jupiter is the biggest planet.", "Jupiter.",
      [
        "What is the biggest planet?", "Which planet is the biggest?", "Name the biggest planet.",
        "Which planet is larger than all the others?",
      ]
    ),
    (
      "Bees make honey.", "Honey.",
      ["What do bees make?", "What does a bee make?", "Bees make what?", "What do we get from bees?"]
    ),
    (
      "Milk comes from cows.", "From cows.",
      [
        "Where does milk come from?", "What gives us milk?", "Which animal gives milk?",
        "From which animal do we get milk?",
      ]
    ),
    (
      "Water boils at 100 degrees.", "At 100 degrees.",
      [
        "When does water boil?", "At how many degrees does water boil?", "How hot is boiling water?",
        "At what temperature does water boil?",
      ]
    ),
    (
      "Water freezes at 0 degrees.", "At 0 degrees.",
      [
        "When does water freeze?", "At how many degrees does water freeze?", "How cold is freezing water?",
        "At what temperature does water freeze?",
      ]
    ),
    (
      "We see with our eyes.", "Eyes.",
      [
        "What do we see with?", "With what do we see?", "Which part of the body do we see with?",
        "What do people use to see?",
      ]
    ),
    (
      "We hear with our ears.", "Ears.",
      [
        "What do we hear with?", "With what do we hear?", "Which part of the body do we hear with?",
        "What do people use to hear?",
      ]
    ),
    (
      "We smell with our nose.", "The nose.",
      [
        "What do we smell with?", "With what do we smell?", "Which part of the body do we smell with?",
        "What do people use to smell?",
      ]
    ),
    (
      "A hand has 5 fingers.", "5.",
      [
        "How many fingers does a hand have?", "How many fingers are on a hand?", "A hand has how many fingers?",
        "Tell me the number of fingers on one hand.",
      ]
    ),
    (
      "The alphabet has 26 letters.", "26.",
      [
        "How many letters are in the alphabet?", "How many letters does the alphabet have?",
        "The alphabet has how many letters?", "Tell me the number of letters in the alphabet.",
      ]
    ),
    (
      "The sun rises in the east.", "In the east.",
      [
        "Where does the sun rise?", "Where does the sun come up?", "On which side does the sun rise?",
        "In which direction does the sun rise?",
      ]
    ),
    (
      "The sun sets in the west.", "In the west.",
      [
        "Where does the sun set?", "Where does the sun go down?", "On which side does the sun set?",
        "In which direction does the sun set?",
      ]
    ),
    (
      "A baby cat is a kitten.", "A kitten.",
      [
        "What is a baby cat?", "What is a baby cat called?", "What do you call a baby cat?",
        "What is the name for a young cat?",
      ]
    ),
    (
      "A baby dog is a puppy.", "A puppy.",
      [
        "What is a baby dog?", "What is a baby dog called?", "What do you call a baby dog?",
        "What is the name for a young dog?",
      ]
    ),
    (
      "A baby sheep is a lamb.", "A lamb.",
      [
        "What is a baby sheep?", "What is a baby sheep called?", "What do you call a baby sheep?",
        "What is the name for a young sheep?",
      ]
    ),
    (
      "A baby cow is a calf.", "A calf.",
      [
        "What is a baby cow?", "What is a baby cow called?", "What do you call a baby cow?",
        "What is the name for a young cow?",
      ]
    ),
  ]

  private static func pairs(_ text: String) -> [(String, String)] {
    text.split { $0 == "," || $0 == "\n" }.map { entry in
      let parts = entry.split(separator: "=").map { part in
        String(part.drop { $0 == " " })
      }
      return (parts[0], parts[1])
    }
  }
}
