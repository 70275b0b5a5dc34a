"""Rows by tabledata.insertAll: Google's own client for Python, unmodified."""

import base64
import datetime
import decimal
import json
import unittest
import urllib.error
import urllib.request

from google.api_core import exceptions
from google.cloud import bigquery

from service import PROJECT, Service

UTC = datetime.timezone.utc
FIELD = bigquery.SchemaField


class InsertAll(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.client = cls.service.rest()
        cls.client.create_dataset("landing")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.service.close()

    def make(self, *fields):
        return self.client.create_table(bigquery.Table(f"{PROJECT}.landing.{self.id().rsplit('.', 1)[1]}", fields))

    def rows(self, table, columns="*"):
        return [tuple(row) for row in self.client.query_and_wait(f"SELECT {columns} FROM `{table}` ORDER BY 1")]

    def post(self, table, body, root="/bigquery/v2/"):
        path = f"{root}projects/{table.project}/datasets/{table.dataset_id}/tables/{table.table_id}/insertAll"
        ask = urllib.request.Request(self.service.endpoints["rest"] + path, method="POST", data=json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(ask, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as failure:
            with failure:
                return failure.code, json.load(failure)

    def test_every_type(self):
        table = self.make(
            FIELD("i", "INT64"), FIELD("f", "FLOAT64"), FIELD("b", "BOOL"), FIELD("s", "STRING"), FIELD("y", "BYTES"), FIELD("d", "DATE"),
            FIELD("t", "TIME"), FIELD("dt", "DATETIME"), FIELD("ts", "TIMESTAMP"), FIELD("n", "NUMERIC"), FIELD("bn", "BIGNUMERIC"),
            FIELD("j", "JSON"), FIELD("l", "INT64", mode="REPEATED"), FIELD("r", "RECORD", fields=[FIELD("a", "STRING"), FIELD("q", "RECORD", mode="REPEATED", fields=[FIELD("z", "INT64")])]))
        # insert_rows turns Python's values into the forms that the service takes.
        values = (5, 1.5, True, "æøå", b"\x00\xff", datetime.date(2024, 2, 29), datetime.time(12, 34, 56), datetime.datetime(2024, 2, 29, 12, 34, 56, 789),
                  datetime.datetime(2024, 2, 29, 12, 34, 56, 789, UTC), decimal.Decimal("123.456"), decimal.Decimal("1e-30"), {"a": [1, None]}, [1, 2],
                  {"a": "x", "q": [{"z": 1}, {"z": None}]})
        self.assertEqual(self.client.insert_rows(table, [values]), [])
        self.assertEqual(self.rows(table), [values])
        self.assertEqual([tuple(row) for row in self.client.list_rows(table)], [values])
        self.assertEqual(self.client.insert_rows_json(table, [{"i": 6, "y": base64.b64encode(b"x").decode(), "ts": 1408452095.22, "j": '{"k": 1}'}]), [])
        self.assertEqual(self.rows(table, "i, y, ts, j, l, r")[1], (6, b"x", datetime.datetime(2014, 8, 19, 12, 41, 35, 220000, UTC), {"k": 1}, [], None))

    def test_auto_is_now(self):
        table = self.make(FIELD("id", "INT64"), FIELD("at", "TIMESTAMP"))
        before = datetime.datetime.now(UTC)
        self.assertEqual(self.client.insert_rows_json(table, [{"id": 1, "at": "AUTO"}]), [])
        self.assertTrue(before <= self.rows(table)[0][1] <= datetime.datetime.now(UTC))

    def test_one_bad_row_stops_all(self):
        table = self.make(FIELD("id", "INT64", mode="REQUIRED"), FIELD("at", "DATE"))
        errors = self.client.insert_rows_json(table, [{"id": 1}, {"id": "secret"}, {"at": "2024-01-01"}, {"id": 2, "more": 1}])
        self.assertEqual([(each["index"], each["errors"][0]["reason"], each["errors"][0]["location"]) for each in errors],
                         [(0, "stopped", ""), (1, "invalid", "id"), (2, "invalid", "id"), (3, "invalid", "more")])
        self.assertEqual(errors[1]["errors"][0]["message"], "Cannot convert value to integer (bad value)")
        self.assertEqual(errors[3]["errors"][0]["message"], "no such field: more.")
        self.assertNotIn("secret", json.dumps(errors) + self.service.log_text())
        self.assertEqual(self.rows(table), [])

    def test_bad_rows_and_unknown_values_can_be_left_out(self):
        table = self.make(FIELD("id", "INT64", mode="REQUIRED"), FIELD("code", "STRING", max_length=3))
        errors = self.client.insert_rows_json(table, [{"id": 1}, {"id": "x"}, {"id": 2, "code": "long"}, {"id": 3, "code": "ok", "more": {}}],
                                              skip_invalid_rows=True, ignore_unknown_values=True)
        self.assertEqual([each["index"] for each in errors], [1, 2])
        self.assertEqual(self.rows(table), [(1, None), (3, "ok")])

    def test_an_insert_id_is_taken_once(self):
        table = self.make(FIELD("id", "INT64"))
        for _ in range(3):
            self.assertEqual(self.client.insert_rows_json(table, [{"id": 1}, {"id": 2}], row_ids=["a", "b"]), [])
        self.assertEqual(self.client.insert_rows_json(table, [{"id": 3}, {"id": 3}], row_ids=["c", "c"]), [])
        self.assertEqual(self.rows(table), [(1,), (2,), (3,)])
        # A refused row's id is not used up.
        self.assertEqual(len(self.client.insert_rows_json(table, [{"id": "x"}], row_ids=["d"])), 1)
        self.assertEqual(self.client.insert_rows_json(table, [{"id": 4}], row_ids=["d"]), [])
        self.assertEqual(self.rows(table)[-1], (4,))

    def test_a_table_that_changes_and_comes_back(self):
        table = self.make(FIELD("id", "INT64"))
        self.assertEqual(self.client.insert_rows_json(table, [{"id": 1}]), [])
        table.schema = [*table.schema, FIELD("added", "STRING")]
        table = self.client.update_table(table, ["schema"])
        self.assertEqual(self.client.insert_rows_json(table, [{"id": 2, "added": "x"}]), [])
        self.assertEqual(self.rows(table), [(1, None), (2, "x")])
        self.client.delete_table(table)
        with self.assertRaises(exceptions.NotFound):
            self.client.insert_rows_json(table, [{"id": 3}], retry=None)
        table = self.make(FIELD("other", "BOOL"))
        self.assertEqual(self.client.insert_rows_json(table, [{"other": True}]), [])
        self.assertEqual(self.rows(table), [(True,)])

    def test_the_wire(self):
        table = self.make(FIELD("id", "INT64"))
        for root in ("/bigquery/v2/", "/"):
            self.assertEqual(self.post(table, {"rows": [{"json": {"id": 1}}]}, root), (200, {"kind": "bigquery#tableDataInsertAllResponse"}))
        for body, status, reason in (({"rows": []}, 400, "invalid"), ({"rows": [{"json": {}}], "templateSuffix": "_x"}, 501, "notImplemented"),
                                     ({"rows": 5}, 400, "invalid")):
            answer = self.post(table, body)
            self.assertEqual((answer[0], answer[1]["error"]["errors"][0]["reason"]), (status, reason))
        self.assertEqual(len(self.rows(table)), 2)


if __name__ == "__main__":
    unittest.main()
