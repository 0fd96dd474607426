"""Migrations that let the site go on: how PostgreSQL's tables change under their readers.

A statement that changes a table shuts out everybody who reads it, to the end of its transaction,
and one that waits for such a lock already does. So a migration of ours that has work to do is no
single transaction here. Each operation below does its work under locks that readers do not notice,
takes the others for a moment alone, and never waits for them longer than `PATIENCE`: it steps back,
and tries again. Each can be killed at any point and is then done by the next run, since what stands
is left as it is. SQLite has one writer at a time and readers that do not wait for it: there the
migration is one transaction, as Django makes it.

`manage.py migrate` does the same for migrations of Django's own kind, as far as that goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from django.db import migrations, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState

from runtime.schema_changes import (
    briefly,
    create_check,
    create_index,
    create_unique,
    drop_constraint,
    drop_index,
    has_column,
    has_table,
    is_postgresql,
    require_values,
)

BATCH: Final = 5_000
"""Rows that are changed in one transaction."""


class Migration(migrations.Migration):
    """A migration of which every operation is complete in itself; one transaction on SQLite."""

    atomic = False

    def apply(
        self, project_state: ProjectState, schema_editor: Any, collect_sql: bool = False
    ) -> ProjectState:
        self._begin(schema_editor)
        return super().apply(project_state, schema_editor, collect_sql)

    def unapply(
        self, project_state: ProjectState, schema_editor: Any, collect_sql: bool = False
    ) -> ProjectState:
        self._begin(schema_editor)
        return super().unapply(project_state, schema_editor, collect_sql)

    def _begin(self, editor: Any) -> None:
        """The transaction that the schema editor would have begun, and will end."""
        if not is_postgresql(editor) and not editor.atomic_migration:
            editor.atomic_migration = True
            editor.atomic = transaction.atomic(using=editor.connection.alias)
            editor.atomic.__enter__()


class _Brief:
    """One of Django's operations that takes a moment, in a transaction of its own."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        forwards = super().database_forwards  # type: ignore[misc]
        if not is_postgresql(schema_editor) or not self.stands(
            app_label, schema_editor, to_state, from_state, there=True
        ):
            briefly(schema_editor, lambda: forwards(app_label, schema_editor, from_state, to_state))

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        backwards = super().database_backwards  # type: ignore[misc]
        if not is_postgresql(schema_editor) or not self.stands(
            app_label, schema_editor, from_state, to_state, there=False
        ):
            briefly(
                schema_editor, lambda: backwards(app_label, schema_editor, from_state, to_state)
            )

    def stands(self, app_label: str, editor: Any, after: Any, before: Any, *, there: bool) -> bool:
        """Whether it is done (`there`), or undone, already."""
        raise NotImplementedError


class CreateModel(_Brief, migrations.CreateModel):
    """A new table with all that belongs to it."""

    def stands(self, app_label: str, editor: Any, after: Any, before: Any, *, there: bool) -> bool:
        table = after.apps.get_model(app_label, self.name)._meta.db_table
        return has_table(editor, table) == there


class DeleteModel(_Brief, migrations.DeleteModel):
    """A table that goes. Nobody may be reading it any more."""

    def stands(self, app_label: str, editor: Any, after: Any, before: Any, *, there: bool) -> bool:
        table = before.apps.get_model(app_label, self.name)._meta.db_table
        return has_table(editor, table) != there


class AddField(_Brief, migrations.AddField):
    """A new column that may be empty or has a constant default, so that no row is written."""

    def stands(self, app_label: str, editor: Any, after: Any, before: Any, *, there: bool) -> bool:
        model = after.apps.get_model(app_label, self.model_name)
        column = model._meta.get_field(self.name).column
        return has_column(editor, model._meta.db_table, column) == there


class RemoveField(_Brief, migrations.RemoveField):
    """A column that goes: its bytes stay in the rows until these are written anew."""

    def stands(self, app_label: str, editor: Any, after: Any, before: Any, *, there: bool) -> bool:
        model = before.apps.get_model(app_label, self.model_name)
        column = model._meta.get_field(self.name).column
        return has_column(editor, model._meta.db_table, column) != there


class _Beside:
    """One of Django's operations, done on PostgreSQL beside readers and writers by `beside`."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if is_postgresql(schema_editor):
            self.beside(app_label, schema_editor, to_state, forwards=True)
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)  # type: ignore[misc]

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if is_postgresql(schema_editor):
            self.beside(app_label, schema_editor, to_state, forwards=False)
        else:
            super().database_backwards(app_label, schema_editor, from_state, to_state)  # type: ignore[misc]

    def beside(self, app_label: str, editor: Any, after: Any, *, forwards: bool) -> None:
        """Do it, or undo it; `after` is the state that this leads to."""
        raise NotImplementedError


class AddIndex(_Beside, migrations.AddIndex):
    """An index, made beside readers and writers."""

    def beside(self, app_label: str, editor: Any, after: Any, *, forwards: bool) -> None:
        if forwards:
            _make_index(editor, after.apps.get_model(app_label, self.model_name), self.index)
        else:
            drop_index(editor, self.index.name)


class RemoveIndex(_Beside, migrations.RemoveIndex):
    """An index that goes, beside readers and writers."""

    def beside(self, app_label: str, editor: Any, after: Any, *, forwards: bool) -> None:
        if forwards:
            drop_index(editor, self.name)
            return
        index = after.models[app_label, self.model_name_lower].get_index_by_name(self.name)
        _make_index(editor, after.apps.get_model(app_label, self.model_name), index)


class AddConstraint(_Beside, migrations.AddConstraint):
    """A check or a unique constraint: found to hold, or made, beside readers and writers."""

    def beside(self, app_label: str, editor: Any, after: Any, *, forwards: bool) -> None:
        model = after.apps.get_model(app_label, self.model_name)
        if forwards:
            _make_constraint(editor, model, self.constraint)
        else:
            _drop_constraint(editor, model, self.constraint.name)


class RemoveConstraint(_Beside, migrations.RemoveConstraint):
    """A check or a unique constraint that goes, beside readers and writers."""

    def beside(self, app_label: str, editor: Any, after: Any, *, forwards: bool) -> None:
        model = after.apps.get_model(app_label, self.model_name)
        if forwards:
            _drop_constraint(editor, model, self.name)
            return
        state = after.models[app_label, self.model_name_lower]
        _make_constraint(editor, model, state.get_constraint_by_name(self.name))


def _make_index(editor: Any, model: Any, index: models.Index) -> None:
    create_index(editor, index.name, str(index.create_sql(model, editor, concurrently=True)))


def _drop_constraint(editor: Any, model: Any, name: str) -> None:
    drop_constraint(editor, name, model._meta.db_table)
    drop_index(editor, name)


def _make_constraint(editor: Any, model: Any, constraint: Any) -> None:
    table, name = model._meta.db_table, constraint.name
    statement = constraint.create_sql(model, editor)
    if isinstance(constraint, models.CheckConstraint):
        create_check(editor, name, table, str(statement))
    elif str(statement).startswith("CREATE UNIQUE INDEX "):
        beside = str(statement).replace("UNIQUE INDEX ", "UNIQUE INDEX CONCURRENTLY ", 1)
        create_index(editor, name, beside)
    elif isinstance(constraint, models.UniqueConstraint):
        fields = [model._meta.get_field(field) for field in constraint.fields]
        columns = ", ".join(editor.quote_name(field.column) for field in fields)
        create_unique(editor, name, table, columns)
    else:
        raise NotImplementedError(f"{type(constraint).__name__} on line")


class AlterField(migrations.AlterField):
    """A column that must be given from now on, is unique, or has an index or none.

    Anything else of it that matters to the database takes an operation of its own.
    """

    atomic = False
    ours: ClassVar = {"null", "blank", "choices", "unique", "db_index", "editable", "help_text"}

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if not is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        new = model._meta.get_field(self.name)
        old_model = from_state.apps.get_model(app_label, self.model_name)
        old = old_model._meta.get_field(self.name)
        self._refuse_other_changes(old, new)
        table, column = model._meta.db_table, new.column
        name = schema_editor._create_index_name(table, [column], suffix="_uniq")
        if old.unique and not new.unique:
            drop_constraint(schema_editor, name, table)
        if old.db_index and not new.db_index:
            for index in self._indexes(schema_editor, old_model, old):
                drop_index(schema_editor, index)
        if new.null:
            briefly(
                schema_editor,
                lambda: schema_editor.execute(
                    f"ALTER TABLE {schema_editor.quote_name(table)} ALTER COLUMN"
                    f" {schema_editor.quote_name(column)} DROP NOT NULL",
                    None,
                ),
            )
        else:
            require_values(schema_editor, table, column)
        if new.unique and not old.unique:
            create_unique(schema_editor, name, table, schema_editor.quote_name(column))
        if new.db_index and not old.db_index:
            for statement in self._index_statements(schema_editor, model, new):
                beside = str(statement).replace("CREATE INDEX ", "CREATE INDEX CONCURRENTLY ", 1)
                create_index(schema_editor, str(statement.parts["name"]).strip('"'), beside)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        self.database_forwards(app_label, schema_editor, from_state, to_state)

    def _refuse_other_changes(self, old: Any, new: Any) -> None:
        before, after = old.deconstruct(), new.deconstruct()
        changed = {
            name
            for name in before[3].keys() | after[3].keys()
            if before[3].get(name) != after[3].get(name)
        }
        if before[1] != after[1] or not changed <= self.ours:
            raise NotImplementedError(f"{self.model_name}.{self.name}: {sorted(changed)} on line")

    def _indexes(self, editor: Any, model: Any, field: Any) -> list[str]:
        statements = self._index_statements(editor, model, field)
        return [str(statement.parts["name"]).strip('"') for statement in statements]

    @staticmethod
    def _index_statements(editor: Any, model: Any, field: Any) -> list[Any]:
        return list(editor._field_indexes_sql(model, field))


class RunPython(migrations.RunPython):
    """Code that commits its own work as it goes, and goes on with what is left when run again."""

    def __init__(self, code: Any, reverse_code: Any = None, elidable: bool = False) -> None:
        super().__init__(code, reverse_code, atomic=False, elidable=elidable)


# --- Rows --------------------------------------------------------------------------------------


def batches(
    editor: BaseDatabaseSchemaEditor, table: str, key: str = "id", size: int = BATCH
) -> Iterator[tuple[int, int]]:
    """Ranges of a whole-number key, both ends in it, that cover a table; one where it is small."""
    target, column = editor.quote_name(table), editor.quote_name(key)
    with editor.connection.cursor() as cursor:
        cursor.execute(f"SELECT min({column}), max({column}) FROM {target}")  # noqa: S608
        first, last = cursor.fetchone()
        while first is not None:
            cursor.execute(
                f"SELECT max(k) FROM (SELECT {column} AS k FROM {target} WHERE {column} >= %s"  # noqa: S608
                f" ORDER BY {column} LIMIT {size}) AS batch",
                [first],
            )
            [[end]] = cursor.fetchall()
            if end is None:
                return
            yield first, end
            if end >= last:
                return
            first = end + 1
