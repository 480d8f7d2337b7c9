// TinyCorpus
