//! What a program or a chat window reads: json, csv, text, markdown.
