"""What money promises, kept by the database; fees that were set before are brought over."""

from datetime import UTC, datetime

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

from postal_track import references

ID = "2026-11-23T03:54:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Sums follow their lines; money is neither lost nor made"

FORWARDS = """
-- What is still to be paid, what is still to be settled: short lists out of long tables.
CREATE INDEX charge_open ON charge (bill) WHERE paid < amount;
CREATE INDEX payment_unsettled ON payment (at) WHERE settled < amount;
CREATE INDEX payment_of_dossier ON payment (dossier) WHERE dossier IS NOT NULL;
CREATE INDEX payment_of_statement ON payment (statement) WHERE statement IS NOT NULL;
-- What a carrier took and handed in; what came into an office's drawer.
CREATE INDEX payment_taken ON payment (by, at) WHERE method = 'cash';
CREATE INDEX payment_at_counter ON payment (office, recorded_at) WHERE method = 'cashier';
CREATE INDEX cash_hand_in_of_carrier ON cash_hand_in (carrier);
CREATE INDEX cash_hand_in_of_office ON cash_hand_in (office, counted_at);
CREATE INDEX cash_difference_of_carrier ON cash_difference (carrier);
CREATE INDEX cash_close_of_office ON cash_close (office, at);
CREATE INDEX refund_of_office ON refund (office, at) WHERE office IS NOT NULL;
CREATE INDEX refund_of_payment ON refund (payment);
CREATE INDEX allocation_of_payment ON allocation (payment);
CREATE INDEX allocation_of_charge ON allocation (charge);
CREATE INDEX charge_line_of_charge ON charge_line (charge);

-- A carrier gives one heap of cash away at a time, or two counts would be held against one word.
CREATE UNIQUE INDEX cash_hand_in_one_open ON cash_hand_in (carrier)
    WHERE ended_at IS NULL AND recalled_at IS NULL AND counted IS NULL;

CREATE TRIGGER charge_line_append_only BEFORE UPDATE OR DELETE ON charge_line
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER allocation_append_only BEFORE UPDATE OR DELETE ON allocation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refund_append_only BEFORE UPDATE OR DELETE ON refund
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER statement_append_only BEFORE UPDATE OR DELETE ON statement
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cash_difference_append_only BEFORE UPDATE OR DELETE ON cash_difference
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cash_close_append_only BEFORE UPDATE OR DELETE ON cash_close
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bill_kept BEFORE UPDATE OR DELETE ON bill
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER charge_kept BEFORE DELETE ON charge
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_kept BEFORE DELETE ON payment
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cash_hand_in_kept BEFORE DELETE ON cash_hand_in
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A charge is born at nothing, and its sums follow its lines: nobody writes them by hand.
CREATE FUNCTION charge_by_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.amount <> 0 OR NEW.paid <> 0 THEN
            RAISE EXCEPTION 'a charge begins at 0: its lines say how much it is'
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF (NEW.id, NEW.bill, NEW.kind, NEW.payer, NEW.payee, NEW.due, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.bill, OLD.kind, OLD.payer, OLD.payee, OLD.due, OLD.created_at)
        OR (pg_trigger_depth() < 2
            AND (NEW.amount, NEW.paid) IS DISTINCT FROM (OLD.amount, OLD.paid)) THEN
        RAISE EXCEPTION 'a charge changes by its lines only'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER charge_by_lines BEFORE INSERT OR UPDATE ON charge
    FOR EACH ROW EXECUTE FUNCTION charge_by_lines();

CREATE FUNCTION charge_line_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What was told to be paid is news again once more is asked.
    UPDATE charge SET amount = amount + NEW.change,
        told_at = CASE WHEN NEW.change > 0 THEN NULL ELSE told_at END
    WHERE id = NEW.charge;
    RETURN NULL;
END $$;
CREATE TRIGGER charge_line_counts AFTER INSERT ON charge_line
    FOR EACH ROW EXECUTE FUNCTION charge_line_counts();

-- A payment stays as it was told. Its words go once nothing is left to settle, or with the person.
CREATE FUNCTION payment_by_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.settled <> 0 THEN
            RAISE EXCEPTION 'a payment begins unsettled' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.settled = NEW.amount THEN
        NEW.text := '';
    END IF;
    IF to_jsonb(NEW) - ARRAY['settled', 'text'] <> to_jsonb(OLD) - ARRAY['settled', 'text']
        OR NEW.text NOT IN ('', OLD.text)
        OR (pg_trigger_depth() < 2 AND NEW.settled <> OLD.settled) THEN
        RAISE EXCEPTION 'table payment is append-only: what was told stays'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_by_lines BEFORE INSERT OR UPDATE ON payment
    FOR EACH ROW EXECUTE FUNCTION payment_by_lines();

CREATE FUNCTION allocation_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payment SET settled = settled + NEW.amount WHERE id = NEW.payment;
    UPDATE charge SET paid = paid + NEW.amount WHERE id = NEW.charge;
    -- Only what this payment gave to this charge can be taken back from it.
    IF NEW.amount < 0 AND (SELECT sum(amount) FROM allocation
        WHERE payment = NEW.payment AND charge = NEW.charge) < 0 THEN
        RAISE EXCEPTION 'payment % gave charge % less than that', NEW.payment, NEW.charge
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER allocation_counts AFTER INSERT ON allocation
    FOR EACH ROW EXECUTE FUNCTION allocation_counts();

CREATE FUNCTION refund_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payment SET settled = settled + NEW.amount WHERE id = NEW.payment;
    RETURN NULL;
END $$;
CREATE TRIGGER refund_counts AFTER INSERT ON refund
    FOR EACH ROW EXECUTE FUNCTION refund_counts();

-- Each side of a hand-in says its word once; what has ended stays as it is.
CREATE FUNCTION cash_hand_in_said_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR OLD.recalled_at IS NOT NULL
        OR (NEW.id, NEW.carrier, NEW.office, NEW.said, NEW.said_at)
            IS DISTINCT FROM (OLD.id, OLD.carrier, OLD.office, OLD.said, OLD.said_at)
        OR (OLD.counted IS NOT NULL AND (NEW.counted, NEW.counted_at, NEW.cashier)
            IS DISTINCT FROM (OLD.counted, OLD.counted_at, OLD.cashier)) THEN
        RAISE EXCEPTION 'table cash_hand_in: what was said or counted stays'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cash_hand_in_said_once BEFORE UPDATE ON cash_hand_in
    FOR EACH ROW EXECUTE FUNCTION cash_hand_in_said_once();
"""

BACKWARDS = """
DROP TRIGGER cash_hand_in_said_once ON cash_hand_in;
DROP FUNCTION cash_hand_in_said_once();
DROP TRIGGER refund_counts ON refund;
DROP FUNCTION refund_counts();
DROP TRIGGER allocation_counts ON allocation;
DROP FUNCTION allocation_counts();
DROP TRIGGER payment_by_lines ON payment;
DROP FUNCTION payment_by_lines();
DROP TRIGGER charge_line_counts ON charge_line;
DROP FUNCTION charge_line_counts();
DROP TRIGGER charge_by_lines ON charge;
DROP FUNCTION charge_by_lines();
DROP TRIGGER cash_hand_in_kept ON cash_hand_in;
DROP TRIGGER payment_kept ON payment;
DROP TRIGGER charge_kept ON charge;
DROP TRIGGER bill_kept ON bill;
DROP TRIGGER cash_close_append_only ON cash_close;
DROP TRIGGER cash_difference_append_only ON cash_difference;
DROP TRIGGER statement_append_only ON statement;
DROP TRIGGER refund_append_only ON refund;
DROP TRIGGER allocation_append_only ON allocation;
DROP TRIGGER charge_line_append_only ON charge_line;
DROP INDEX cash_hand_in_one_open, charge_line_of_charge, allocation_of_charge, allocation_of_payment,
    refund_of_payment, refund_of_office, cash_close_of_office, cash_difference_of_carrier,
    cash_hand_in_of_office, cash_hand_in_of_carrier, payment_at_counter, payment_taken,
    payment_of_statement, payment_of_dossier, payment_unsettled, charge_open;
"""

# What an agency asked for with a result that is still under way. What has arrived was settled outside.
OWED = """
SELECT i.dossier, sum(i.fee)::bigint AS fee, d.agency FROM item i JOIN dossier d ON d.id = i.dossier
WHERE i.fee > 0 AND i.stage NOT IN ('received', 'delivered', 'refused', 'returned', 'cancelled', 'lost')
GROUP BY i.dossier, d.agency ORDER BY i.dossier
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="postal_track", description=DESCRIPTION)
    manager.add_raw(_up)
    manager.add_raw_backwards(_down)
    return manager


async def _up() -> None:
    await _run(FORWARDS)
    engine = engine_finder()
    async with engine.transaction() as current:
        connection = current.connection
        now = datetime.now(UTC)
        for owed in await connection.fetch(OWED):
            bill = await connection.fetchval(
                "INSERT INTO bill (dossier, reference, created_at) VALUES ($1, $2, $3) RETURNING id",
                owed["dossier"],
                references.make(),
                now,
            )
            charge = await connection.fetchval(
                """
                INSERT INTO charge (bill, kind, payer, payee, due, amount, paid, created_at)
                VALUES ($1, 'state_fee', 'citizen', 'agency:' || $2::int, 'delivery', 0, 0, $3)
                RETURNING id
                """,
                bill,
                owed["agency"],
                now,
            )
            await connection.execute(
                """
                INSERT INTO charge_line (charge, change, why, words, at)
                VALUES ($1, $2, 'brought_over', '', $3)
                """,
                charge,
                owed["fee"],
                now,
            )


async def _down() -> None:
    await _run(BACKWARDS)


async def _run(statements: str) -> None:
    # Many statements at once: asyncpg's simple protocol, on Piccolo's transaction.
    engine = engine_finder()
    async with engine.transaction() as current:
        await current.connection.execute(statements)
