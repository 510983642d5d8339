"""The encoding of values (`Codec`) and keys (`encode_key`, `decode_key`) as bytes."""

from sojourn.codec.codec import ATOMIC, Codec, Key, decode_key, encode_key, shown, text_key

__all__ = ["ATOMIC", "Codec", "Key", "decode_key", "encode_key", "shown", "text_key"]
