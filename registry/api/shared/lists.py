"""Lists: filters from the address, one order, and pages by cursor, so that a row that comes or goes shifts nothing."""

from django.core import signing
from django.db.models import F, Q
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from registry.api.shared.item_fields import BadFilter, serializer
from registry.api.shared.problems import Problem

USUAL, MOST = 50, 500
SALT = "registry.api.cursor"


def page(request, rows, *, show, filters, orders, names=None):
    """The Response with one page of the query `rows`: {"items": […], "next": address or null}.

    show     (row) -> what is shown of it
    names    of the fields that `fields=` may choose from, where a list can be sparse
    filters  the list's Filters
    orders   names of the fields to order by, the usual one first; each is a column of the model
    """
    asked = request.query_params
    errors, lookups = {}, {}
    known = {lookup.name: lookup for lookup in filters}
    for name, values in asked.lists():
        if name in ("limit", "cursor", "order") or (name == "fields" and names is not None):
            continue
        if name not in known or len(values) > 1:
            errors[name] = [_("is given twice") if name in known else _("is not a parameter of this list")]
            continue
        try:
            lookups[known[name].lookup] = known[name].read(values[0])
        except BadFilter as error:
            errors[name] = [error.reason]
    order, limit = asked.get("order") or orders[0], _limit(asked.get("limit"), errors)
    if order.removeprefix("-") not in orders:
        errors["order"] = [_("must be one of %(orders)s, or that after a minus sign") % {"orders": ", ".join(orders)}]
    shown = _sparse(show, asked.get("fields"), names, errors)
    after = _opened(asked.get("cursor"), order, rows.model._meta.label, errors)
    if errors:
        raise Problem(400, _("The list cannot be made from these parameters."), errors=errors)
    page_rows = list(_ordered(rows.filter(**lookups), order, after)[: limit + 1])
    following = _address(request, _sealed(page_rows[limit - 1], order)) if len(page_rows) > limit else None
    headers = {"Link": f'<{following}>; rel="next"'} if following else {}
    return Response({"items": [shown(row) for row in page_rows[:limit]], "next": following}, headers=headers)


def _sparse(show, text, names, errors):
    """`show`, of the fields alone that a list's parameter `fields` names, in that order."""
    if text is None or names is None:
        return show
    wanted = [name for name in text.split(",") if name]
    if not wanted or not names.issuperset(wanted):
        unknown = next((name for name in wanted if name not in names), "")
        errors["fields"] = [_("“%(name)s” is not a field of this list") % {"name": unknown[:80]}]
        return show

    def shown(row):
        whole = show(row)
        return {name: whole[name] for name in wanted}

    return shown


def _limit(text, errors):
    if text is None:
        return USUAL
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 5 and 1 <= int(text) <= MOST):
        errors["limit"] = [_("must be a whole number from 1 to %(most)s") % {"most": MOST}]
        return USUAL
    return int(text)


def _ordered(rows, order, after):
    """`rows` in order, nulls last, ties by the primary key; those behind `after` (value, key) if there is one."""
    name, down = order.removeprefix("-"), order.startswith("-")
    by = F(name).desc(nulls_last=True) if down else F(name).asc(nulls_last=True)
    if after is not None:
        value, key = after
        behind = Q(**{name: value}, pk__gt=key)
        if value is None:
            behind = Q(**{f"{name}__isnull": True}, pk__gt=key)
        else:
            behind |= Q(**{f"{name}__{'lt' if down else 'gt'}": value}) | Q(**{f"{name}__isnull": True})
        rows = rows.filter(behind)
    return rows.order_by(by, "pk")


def _sealed(row, order):
    name = order.removeprefix("-")
    field = row._meta.get_field(name)
    value = getattr(row, field.attname)
    text = None if value is None else field.value_to_string(row)
    return signing.dumps([order, text, row._meta.label, str(row.pk)], salt=SALT)


def _opened(cursor, order, of, errors):
    """(value, key) of the row that a cursor stands behind; None without a cursor. Only our own cursors are read."""
    if cursor is None:
        return None
    try:
        sealed_order, value, label, key = signing.loads(cursor, salt=SALT)
        if (sealed_order, label) != (order, of):
            raise ValueError
    except (signing.BadSignature, ValueError, TypeError):
        errors["cursor"] = [_("is not a cursor of this list in this order; take it from “next”")]
        return None
    return value, key


def _address(request, cursor):
    pairs = [(name, value) for name, values in request.query_params.lists() for value in values if name != "cursor"]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*pairs, ('cursor', cursor)])}")


def parameters(filters, orders, *, sparse=False):
    """What the schema says of a list's parameters; `sparse`: whether `fields` is one."""
    by = [order for name in orders for order in (name, f"-{name}")]
    query = OpenApiParameter.QUERY
    fields = OpenApiParameter("fields", {"type": "string"}, query, description="Only these fields, by commas.")
    return [
        *(narrowing.parameter() for narrowing in filters),
        *((fields,) if sparse else ()),
        OpenApiParameter("order", {"type": "string", "enum": by, "default": orders[0]}, query, description="Order."),
        OpenApiParameter(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
            query,
            description="How many to a page.",
        ),
        OpenApiParameter(
            "cursor",
            {"type": "string"},
            query,
            description="Where the page begins, from `next` of the page before.",
        ),
    ]


def page_serializer(of):
    """The serializer of a page of `of`."""
    address = serializers.URLField(allow_null=True, help_text="Address of the next page, or null.")
    return serializer(f"{of.__name__}Page", {"items": of(many=True), "next": address})
