"""Plans: stories as pure values, drawn first, executed second, written to files and read back.

`steps` are the words, `strategies` draw plans out of `intents` and `moves`, `execute` plays one on a `stage` under the
eyes of the oracle's judge, `live` is the stage around a real server, `files` the JSON form.
"""
