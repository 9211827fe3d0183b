"""OKX's swaps, perpetual contracts settled in their quote asset: what of the protocol is theirs alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from market.events import Side
from market.symbol import Symbol
from simulated.contracts import ContractVenue
from simulated.control import VenueClock
from simulated.engine.events import BalanceReason, EngineEvent, OrderChange, OrderChanged
from simulated.engine.order import ZERO, Order, OrderKind, OrderRefused, Refusal, TimeInForce, Trade, TradeParty
from simulated.engine.position import Position
from simulated.numbers import plain
from simulated.okx import encoding, swap_encoding
from simulated.okx.bills import Bills
from simulated.okx.encoding import Json
from simulated.okx.errors import OkxError, okx_error_of, parameter_error
from simulated.okx.fields import Fields, flag_of, number_of, side_of
from simulated.okx.swap_encoding import MarginSums, Valuation, margin_mode
from simulated.okx.venue import OkxVenue, limit_terms
from simulated.settings import DEFAULT_MARKETS, AccountSettings, ContractSettings, MarketSettings, SimulationSettings
from simulated.venue import text_of

_FIRST_INSTRUMENT_CODE = 10_459
_FIRST_POSITION_ID = 1_752_810_569_801_498_626
_ORDERS_REMEMBERED = 20_000
# What a contract of these is worth on the real exchange, and the least part of one that is traded.
_CONTRACTS = {"BTC_USDT": (Decimal("0.01"), Decimal("0.01")), "ETH_USDT": (Decimal("0.1"), Decimal("0.01"))}
_MARKET_ORDERS = {"market": TimeInForce.GOOD_TILL_CANCELLED, "optimal_limit_ioc": TimeInForce.IMMEDIATE_OR_CANCEL}
"""Both are matched at once and never rest; the engine does not tell them apart, the time in force remembers which was asked for."""
_MARKET_ORDER_TYPES = {value: name for name, value in _MARKET_ORDERS.items()}
MARGIN_MODES = ("cross", "isolated")
POSITION_MODES = ("net_mode", "long_short_mode")


class OkxSwapVenue(OkxVenue, ContractVenue):
    """Sizes are contracts; the account is in futures mode, its positions in net mode.

    Unlike the real exchange, an account has one position in a contract, in one margin mode at a time.
    """

    instrument_type = "SWAP"
    balance_events: ClassVar[Mapping[BalanceReason, str]] = {
        BalanceReason.INSURANCE: "claw_back",
        BalanceReason.DEPOSITED: "transferred",
        BalanceReason.WITHDRAWN: "transferred",
    }
    balance_reasons_of_positions = frozenset(
        {
            BalanceReason.ORDER_MATCHED,
            BalanceReason.REALISED,
            BalanceReason.FEE,
            BalanceReason.FUNDING,
            BalanceReason.MARGIN_CHANGED,
        }
    )

    def __init__(self, settings: SimulationSettings, clock: VenueClock) -> None:
        super().__init__(settings, clock, exchange="okx_swap", first_instrument_code=_FIRST_INSTRUMENT_CODE)
        self._contracts = {market.parsed_symbol: self.contract(market) for market in settings.markets}
        self.position_modes = {account.name: POSITION_MODES[account.position_mode == "hedge"] for account in settings.accounts}
        self.bills = Bills(self)
        self._leverages: dict[tuple[str, Symbol, bool], Decimal] = {}
        self._position_ids: dict[tuple[str, Symbol], int] = {}
        self._margins_of_orders: dict[int, tuple[bool, Decimal]] = {}
        self.engine.subscribe(self._notice, [OrderChanged])

    def contract(self, market: MarketSettings) -> ContractSettings:
        """As on the real exchange, unless the settings say otherwise."""
        usual = _CONTRACTS.get(market.symbol)
        if usual is None or market.contract not in (ContractSettings(), *(one.contract for one in DEFAULT_MARKETS)):
            return market.contract
        return ContractSettings(contract_size=usual[0], lot=usual[1])

    def wire(self, symbol: Symbol) -> str:
        return f"{symbol.base}-{symbol.quote}-SWAP"

    def instrument(self, symbol: Symbol) -> Json:
        listing, rules = self.listings[symbol], self.engine.instruments[symbol]
        return {**encoding.instrument(listing, rules), **swap_encoding.instrument(listing, rules)}

    def funding_interval_milliseconds(self, symbol: Symbol) -> int:
        return self._contracts[symbol].funding_interval_seconds * 1000

    # -- orders -----------------------------------------------------------------------------------------------------

    def check_trade_mode(self, account: AccountSettings, symbol: Symbol, fields: Fields) -> None:
        mode = text_of(fields, "tdMode")
        if mode not in MARGIN_MODES:
            raise parameter_error("tdMode")
        self.check_position_side(account, fields)
        is_cross = mode == "cross"
        position = self.engine.position(account.name, symbol)
        if position.is_cross == is_cross:
            return
        try:
            self._set_leverage(account.name, symbol, self.leverage(account.name, symbol, is_cross=is_cross), is_cross=is_cross)
        except OrderRefused as refused:
            text = f"In this simulation {self.wire(symbol)} is in {margin_mode(position.is_cross)} mode while there are positions or orders"
            raise OkxError("51010", text) from refused

    def check_position_side(self, account: AccountSettings, fields: Fields) -> None:
        """Raises: OkxError: the side does not go with the account's position mode, or that is not net mode."""
        side = text_of(fields, "posSide")
        if self.position_modes[account.name] == "net_mode":
            if side not in (None, "net"):
                raise parameter_error("posSide")
            return
        if side not in ("long", "short"):
            raise parameter_error("posSide")
        raise OkxError("51010", "This simulation trades in net mode only: set posMode net_mode")

    def terms(self, account: AccountSettings, symbol: Symbol, fields: Fields) -> dict[str, Any]:
        listing = self.listings[symbol]
        time_in_force = _MARKET_ORDERS.get(text_of(fields, "ordType") or "")
        terms: dict[str, Any]
        if time_in_force is None:
            terms = limit_terms(listing, fields)
        else:
            terms = {"kind": OrderKind.MARKET, "time_in_force": time_in_force, "quantity": listing.quantity(number_of(fields, "sz"))}
        if flag_of(fields, "reduceOnly"):
            terms |= {"reduce_only": True, "quantity": min(terms["quantity"], self._reducible(account, symbol, side_of(fields)))}
        return terms

    def _reducible(self, account: AccountSettings, symbol: Symbol, side: Side) -> Decimal:
        """What there is to reduce; what an order asks for beyond that is cut off (documented with "Order channel", amendSource 4)."""
        position = self.engine.position(account.name, symbol)
        if not position.is_open:
            raise OkxError("51169", "Order failed because you don't have any positions in this direction to reduce or close.")
        reducible = position.reducible(side)
        if not reducible:
            raise OkxError("51170", "A reduce-only order can't be the same trading direction as your existing positions.")
        return reducible

    def order_details(self, order: Order) -> Json:
        is_cross, leverage = self._margin_of(order)
        is_market = order.kind is OrderKind.MARKET
        return {
            "ordType": _MARKET_ORDER_TYPES[order.time_in_force] if is_market else encoding.ORDER_TYPES[order.time_in_force],
            "tdMode": margin_mode(is_cross),
            "tgtCcy": "",
            "ccy": "",
            "pnl": plain(order.realised_pnl),
            "lever": plain(leverage),
            "reduceOnly": "true" if order.reduce_only else "false",
            "category": "full_liquidation" if order.is_liquidation else "normal",
            "tag": "" if order.is_liquidation else order.tag,
        }

    def encode_fill(self, trade: Trade, party: TradeParty) -> Json:
        return {**super().encode_fill(trade, party), **self._fill_details(trade, party)}

    def encode_no_fill(self) -> Json:
        return {**super().encode_no_fill(), "fillPnl": "0", "fillMarkPx": "", "fillIdxPx": ""}

    def encode_my_trade(self, trade: Trade, party: TradeParty) -> Json:
        details = {"billId": str(self.bills.id_of(trade, party)), "subType": "1" if self.side_of(trade, party) == "buy" else "2"}
        return {**super().encode_my_trade(trade, party), **self._fill_details(trade, party), **details}

    def trade_id(self, trade: Trade, party: TradeParty) -> str:
        """Below zero where the exchange has traded for the account (documented with "Get transaction details")."""
        order = self.engine.orders.get(party.order_id)
        return f"-{trade.id}" if order is not None and order.is_liquidation else str(trade.id)

    @staticmethod
    def side_of(trade: Trade, party: TradeParty) -> str:
        return (trade.taker_side if party is trade.taker else trade.taker_side.opposite).value

    def _fill_details(self, trade: Trade, party: TradeParty) -> Json:
        symbol = trade.symbol
        return {
            "tradeId": self.trade_id(trade, party),
            "fillPnl": plain(party.realised_pnl),
            "fillMarkPx": plain(self.engine.mark_price(symbol)),
            "fillIdxPx": plain(self.engine.index_price(symbol)),
        }

    # -- accounts ---------------------------------------------------------------------------------------------------

    def balance(self, account: str, asset: str, *, available: Decimal, locked: Decimal, at_milliseconds: int) -> Json:
        return swap_encoding.balance(asset, self.sums(account, asset, wallet=available + locked), at_milliseconds)

    def account(self, account: str, details: list[Json], at_milliseconds: int) -> Json:
        """Only the sums that futures mode states."""
        equity = sum((Decimal(one["eq"]) for one in details), ZERO)
        isolated = sum((Decimal(one["isoEq"]) for one in details), ZERO)
        unstated = ("adjEq", "availEq", "ordFroz", "imr", "mmr", "mgnRatio", "notionalUsd", "notionalUsdForSwap", "upl", "borrowFroz")
        sums = {"totalEq": plain(equity), "isoEq": plain(isolated), **dict.fromkeys(unstated, "")}
        return {"uTime": str(at_milliseconds), **sums, "details": details}

    def config(self, account: AccountSettings) -> Json:
        return {
            "uid": str(account.user_id),
            "mainUid": str(account.user_id),
            "acctLv": "2",
            "posMode": self.position_modes[account.name],
            "perm": "read_only" if account.permissions == "read" else "read_only,trade",
            "acctStpMode": "cancel_maker",
            "autoLoan": False,
            "ctIsoMode": "automatic",
            "mgnIsoMode": "automatic",
            "greeksType": "PA",
            "feeType": "0",
            "level": "Lv1",
            "levelTmp": "",
            "kycLv": "3",
            "label": account.name,
            "ip": "",
            "type": "0",
            "roleType": "0",
            "stgyType": "0",
        }

    def trade_fee(self, account: AccountSettings) -> Json:
        maker, taker = plain(-account.maker_fee), plain(-account.taker_fee)
        group = {"groupId": "2", "maker": maker, "taker": taker, "elpMaker": ""}
        rates = {"maker": maker, "taker": taker, "makerU": maker, "takerU": taker, "makerUSDC": maker, "takerUSDC": taker}
        return {
            "category": "1", "delivery": "", "exercise": "", "feeGroup": [group], "fiat": [], "instType": "SWAP", "level": "Lv1",
            "ruleType": "normal", **rates, "ts": str(self.now()),
        }  # fmt: skip

    def sums(self, account: str, asset: str, *, wallet: Decimal) -> MarginSums:
        """What the account has in one settlement asset, and what of it is bound."""
        engine = self.engine
        positions = [one for one in engine.open_positions(account) if one.symbol.quote == asset]
        cross, isolated = ([one for one in positions if one.is_cross is flag] for flag in (True, False))
        symbols = [symbol for symbol in engine.instruments if symbol.quote == asset]
        orders = {symbol: engine.order_margin(account, symbol) for symbol in symbols}
        return MarginSums(
            wallet=wallet,
            available=engine.available(account, asset),
            cross_unrealised=sum((engine.unrealised_pnl(one) for one in cross), ZERO),
            cross_margin=sum((one.margin for one in cross), ZERO)
            + sum((amount for symbol, amount in orders.items() if engine.position(account, symbol).is_cross), ZERO),
            cross_maintenance=sum((engine.maintenance_margin(one) for one in cross), ZERO),
            isolated_unrealised=sum((engine.unrealised_pnl(one) for one in isolated), ZERO),
            isolated_margin=sum((one.margin for one in isolated), ZERO),
            order_margin=sum(orders.values(), ZERO),
            has_cross=bool(cross),
        )

    # -- positions --------------------------------------------------------------------------------------------------

    def position_id(self, account: str, symbol: Symbol) -> int:
        return self._position_ids.setdefault((account, symbol), _FIRST_POSITION_ID + len(self._position_ids))

    def encode_positions(self, account: str, symbols: Iterable[Symbol] | None = None) -> list[Json]:
        return [
            swap_encoding.position(self.listings[one.symbol], one, self._value(one)) for one in self._positions(account, symbols)
        ]  # fmt: skip

    def encode_position_changes(self, account: str, symbols: Iterable[Symbol] | None = None) -> list[Json]:
        return [
            swap_encoding.position_change(self.listings[one.symbol], one, self.position_id(account, one.symbol))
            for one in self._positions(account, symbols)
        ]

    def _positions(self, account: str, symbols: Iterable[Symbol] | None) -> list[Position]:
        """The youngest first."""
        found = self.engine.open_positions(account) if symbols is None else [self.engine.position(account, one) for one in symbols]
        return sorted(found, key=lambda one: -one.opened_at_milliseconds)

    def leverage(self, account: str, symbol: Symbol, *, is_cross: bool) -> Decimal:
        """What the account has chosen for one margin mode."""
        position = self.engine.position(account, symbol)
        if position.is_cross == is_cross:
            return position.leverage
        return self._leverages.get((account, symbol, is_cross), self._contracts[symbol].leverage)

    def choose_leverage(self, account: str, symbol: Symbol, leverage: Decimal, *, is_cross: bool) -> None:
        """Raises: OkxError: it is out of bounds, or the margin would not suffice."""
        leverage_max = self.engine.instruments[symbol].leverage_max
        if leverage_max is not None and leverage > leverage_max:
            raise OkxError("59102", "Leverage exceeds the maximum limit. Please lower the leverage.")
        if leverage < 1:
            raise OkxError("59105", "Leverage can't be less than 1. Please increase the leverage.")
        if self.engine.position(account, symbol).is_cross == is_cross:
            try:
                self._set_leverage(account, symbol, leverage, is_cross=is_cross)
            except OrderRefused as refused:
                if refused.refusal is Refusal.BALANCE_NOT_ENOUGH:
                    raise OkxError(
                        "59108", "Your account leverage is too low and has insufficient margins. Please increase the leverage."
                    ) from refused
                raise okx_error_of(refused, self.wire(symbol)) from refused
        self._leverages[(account, symbol, is_cross)] = leverage

    def _set_leverage(self, account: str, symbol: Symbol, leverage: Decimal, *, is_cross: bool) -> None:
        self.engine.set_leverage(account, symbol, leverage, is_cross=is_cross, now_milliseconds=self.now())

    def _value(self, position: Position) -> Valuation:
        engine, symbol = self.engine, position.symbol
        mark = engine.mark_price(symbol)
        upl, maintenance = engine.unrealised_pnl(position), engine.maintenance_margin(position)
        asset = symbol.quote
        wallet = engine.accounts[position.account].balance(asset).total
        ratio = (
            self.sums(position.account, asset, wallet=wallet).margin_ratio
            if position.is_cross
            else swap_encoding.ratio(position.margin + upl, maintenance)
        )
        return Valuation(
            position_id=self.position_id(position.account, symbol),
            mark_price=mark,
            index_price=engine.index_price(symbol),
            last_price=engine.last_prices.get(symbol, mark),
            unrealised_pnl=upl,
            initial_margin=engine.initial_margin(position),
            maintenance_margin=maintenance,
            margin_ratio=ratio,
            liquidation_price=engine.liquidation_price(position),
        )

    # -- what was so when it happened -------------------------------------------------------------------------------

    def _notice(self, event: EngineEvent) -> None:
        if isinstance(event, OrderChanged) and event.change is OrderChange.PUT:
            if len(self._margins_of_orders) >= 2 * _ORDERS_REMEMBERED:
                self._margins_of_orders = {id: one for id, one in self._margins_of_orders.items() if id in self.engine.orders}
            self._margins_of_orders[event.order.id] = self._margin_now(event.order)

    def _margin_of(self, order: Order) -> tuple[bool, Decimal]:
        """Whether an order's margin is that of the account, and its leverage, as they were when it was placed."""
        return self._margins_of_orders.get(order.id) or self._margin_now(order)

    def _margin_now(self, order: Order) -> tuple[bool, Decimal]:
        position = self.engine.position(order.account, order.symbol)
        return position.is_cross, position.leverage
