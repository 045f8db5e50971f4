"""The parser itself: lark's, made of the grammar, with trees of our own. Imported when the first text is parsed."""

from collections.abc import Iterator
from typing import Any

from lark import Lark, Transformer, v_args
from lark.lexer import Lexer

from backproof.engine.rules.grammar import TIGHTER, for_lark
from backproof.engine.rules.lexer import Piece, pieces
from backproof.engine.rules.tree import Call, Comparison, Lag, Name, Negative, Node, Not, Number, chain


def make_parser() -> Lark:
    return Lark(for_lark(), start="condition", parser="lalr", lexer=Pieces, transformer=Builder())


class Pieces(Lexer):
    """Our lexer, as lark wants to see it."""

    def __init__(self, _: object) -> None:
        pass

    def lex(self, text: Any) -> Iterator[Any]:  # type: ignore[override]
        return pieces(text)


@v_args(inline=True)
class Builder(Transformer[Any, Node]):
    """One method for each rule of the grammar that makes a node."""

    def condition(self, *parts: Any) -> Node:
        """Parts and the operators between them, the tighter ones first."""
        loose: list[str] = []
        segments: list[Node] = []
        start = 0
        for at in range(1, len(parts) + 1, 2):
            if at == len(parts) or parts[at].text not in TIGHTER:
                segments.append(_joined(parts[start:at]))
                start = at + 1
                if at < len(parts):
                    loose.append(parts[at].text)
        return chain(tuple(loose), tuple(segments), _span(segments)) if loose else segments[0]

    sum = condition

    def comparison(self, left: Node, operator: Piece, right: Node) -> Node:
        return Comparison(operator.text, left, right, (left.place[0], right.place[1]))

    def negation(self, operator: Piece, of: Node) -> Node:
        return Not(of, (operator.start_pos, of.place[1]))

    def factor(self, operator: Piece, of: Node) -> Node:
        return Negative(of, (operator.start_pos, of.place[1]))

    def number(self, piece: Piece) -> Node:
        return Number(float(piece.text), piece.place)

    def name(self, piece: Piece) -> Node:
        return Name(piece.text, piece.place)

    def call(self, name: Piece, *inside: Any) -> Node:
        arguments = tuple(one for one in inside if one is not None and not isinstance(one, Piece))
        return Call(name.text, arguments, (name.start_pos, inside[-1].end_pos))

    def lag(self, of: Node, _: Piece, bars: Node, closing: Piece) -> Node:
        return Lag(of, bars, (of.place[0], closing.end_pos))

    def within(self, _: Piece, of: Node, __: Piece) -> Node:
        return of


def _joined(parts: Any) -> Node:
    """Parts with operators of one level between them."""
    if len(parts) == 1:
        one: Node = parts[0]
        return one
    return chain(tuple(piece.text for piece in parts[1::2]), parts[::2], _span(parts))


def _span(parts: Any) -> tuple[int, int]:
    return (parts[0].place[0], parts[-1].place[1])
