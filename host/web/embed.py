"""embed.py OUT IN NAME: a file in ASCII as a C array, so that a host without its pages cannot exist."""
import sys

out, source, name = sys.argv[1:]
text = open(source, encoding="ascii").read()
with open(out, "w") as c:
    c.write(f"extern const char {name}[];\nextern const unsigned long {name}_len;\n")
    c.write(f"const unsigned long {name}_len = {len(text)};\nconst char {name}[] = {{")
    c.write(",".join(str(ord(letter)) for letter in text + "\0") + "};\n")
