"""The parser itself: lark's, made of the grammar, with trees of our own. Imported when the first text is parsed."""

from collections.abc import Iterator
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.lexer import Lexer

from backproof.engine.rules.grammar import for_lark
from backproof.engine.rules.lexer import pieces
from backproof.engine.rules.problems import Place
from backproof.engine.rules.tree import Call, Comparison, Lag, Name, Negative, Node, Not, Number, chain


def make_parser() -> Lark:
    return Lark(for_lark(), start="rule", parser="lalr", lexer=Pieces, transformer=Builder())


def place_of(token: Token) -> Place:
    return (token.start_pos or 0, token.end_pos or 0)


class Pieces(Lexer):
    """Our lexer, as lark wants to see it."""

    def __init__(self, _: object) -> None:
        pass

    def lex(self, text: Any) -> Iterator[Token]:  # type: ignore[override]
        for kind, token, start, stop in pieces(text):
            yield Token(kind, token, start_pos=start, end_pos=stop)


@v_args(inline=True)
class Builder(Transformer[Token, Node]):
    """One method for each rule of the grammar that makes a node."""

    def chain(self, *parts: Any) -> Node:
        nodes, operators = parts[::2], tuple(map(str, parts[1::2]))
        return chain(operators, nodes, (nodes[0].place[0], nodes[-1].place[1]))

    condition = conjunction = sum = product = chain

    def comparison(self, left: Node, operator: Token, right: Node) -> Node:
        return Comparison(str(operator), left, right, (left.place[0], right.place[1]))

    def negation(self, operator: Token, of: Node) -> Node:
        return Not(of, (place_of(operator)[0], of.place[1]))

    def factor(self, operator: Token, of: Node) -> Node:
        return Negative(of, (place_of(operator)[0], of.place[1]))

    def number(self, token: Token) -> Node:
        return Number(float(token), place_of(token))

    def name(self, token: Token) -> Node:
        return Name(str(token), place_of(token))

    def call(self, name: Token, *inside: Any) -> Node:
        arguments = tuple(one for one in inside if one is not None and not isinstance(one, Token))
        return Call(str(name), arguments, (place_of(name)[0], place_of(inside[-1])[1]))

    def lag(self, of: Node, _: Token, bars: Node, closing: Token) -> Node:
        return Lag(of, bars, (of.place[0], place_of(closing)[1]))

    def within(self, _: Token, of: Node, __: Token) -> Node:
        return of
