"""Public protocols: pair sets (LFW's pairs.txt, insightface's .bin, tables of pairs), TinyFace and SurvFace."""
