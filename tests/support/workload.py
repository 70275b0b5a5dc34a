"""Applications that go on writing while rows move: random inserts, updates, deletes and key changes on the sak schema."""

import pathlib
import random
import threading

import psycopg

SAK_SQL = pathlib.Path(__file__).resolve().parents[2] / "examples" / "postgres" / "sak.sql"


def make_sak(server, database):
    server.create_database(database)
    with server.connect(database) as connection:
        connection.execute(SAK_SQL.read_text())


class Writers:
    """`count` threads of random transactions until stop(); every row carries a version that only grows."""

    def __init__(self, server, database, seed, count=2, pause=0.0):
        self.stopping = threading.Event()
        self.errors = []
        self.transactions = 0
        self.pause = pause
        self.threads = [threading.Thread(target=self._run, args=(server, database, random.Random(seed * 1000 + n), n)) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self, server, database, rng, number):
        try:
            with server.connect(database, autocommit=False) as connection:
                while not self.stopping.wait(self.pause):
                    try:
                        for _ in range(rng.choice([1, 1, 1, 3, 20])):
                            self._statement(connection, rng, number)
                        if rng.random() < 0.05:
                            connection.rollback()
                        else:
                            connection.commit()
                        self.transactions += 1
                    except (psycopg.errors.DeadlockDetected, psycopg.errors.ForeignKeyViolation, psycopg.errors.UniqueViolation):
                        connection.rollback()
        except Exception as failure:  # reported by stop()
            self.errors.append(failure)

    @staticmethod
    def _statement(connection, rng, number):
        pick = rng.random()
        person = rng.randint(1, 600)
        if pick < 0.25:
            connection.execute("INSERT INTO person (\"æøå\", vekt, merker, ekstra) VALUES (%s, %s, %s, jsonb_build_object('r', %s::int))",
                               (f"ny {rng.random()}", rng.random(), [str(rng.randint(1, 9))], rng.randint(1, 10**6)))
        elif pick < 0.5:
            connection.execute("UPDATE person SET versjon = versjon + 1, saldo = %s, aktiv = NOT aktiv WHERE id = %s", (round(rng.uniform(-1e6, 1e6), 4), person))
        elif pick < 0.6:
            connection.execute("DELETE FROM person WHERE id = (SELECT max(id) - %s FROM person)", (rng.randint(0, 40),))
        elif pick < 0.75:
            connection.execute("UPDATE sak SET status = 'under_arbeid', versjon = versjon + 1, endret = clock_timestamp() WHERE saksnr = %s", (f"S-{person}",))
        elif pick < 0.82:
            connection.execute("INSERT INTO sak (kontor, saksnr) VALUES (%s, %s) ON CONFLICT (kontor, saksnr) DO UPDATE SET versjon = sak.versjon + 1",
                               (number, f"N-{rng.randint(1, 300)}"))
        elif pick < 0.87:
            connection.execute("UPDATE sak SET saksnr = %s, versjon = versjon + 1 WHERE kontor = %s AND saksnr = %s",
                               (f"K-{rng.randint(1, 10**9)}", number, f"N-{rng.randint(1, 300)}"))
        elif pick < 0.9:
            connection.execute("DELETE FROM sak WHERE kontor = %s AND saksnr = %s", (number, f"N-{rng.randint(1, 300)}"))
        else:
            connection.execute("UPDATE vedtak SET lest = lest + 1, versjon = versjon + 1 WHERE id = %s", (rng.randint(1, 40),))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
        if self.errors:
            raise self.errors[0]
        return self.transactions
