"""Google's own BigQuery client for Python, unmodified, against our REST service."""

import concurrent.futures
import datetime
import decimal
import gzip
import json
import unittest
import urllib.error
import urllib.request

from google.api_core import exceptions
from google.api_core.retry import Retry
from google.cloud import bigquery

from service import PROJECT, Service

NO_RETRY = Retry(predicate=lambda failure: False)


class RestClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.client = cls.service.rest()

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.service.close()

    def setUp(self):
        self.dataset = self.client.create_dataset("d_" + self.id().rsplit(".", 1)[1])

    def table_id(self, name):
        return f"{PROJECT}.{self.dataset.dataset_id}.{name}"

    def rows(self, sql, **options):
        return [tuple(row.values()) for row in self.client.query(sql, job_config=bigquery.QueryJobConfig(**options)).result()]


class Datasets(RestClient):
    def test_create_get_update_list_delete(self):
        made = bigquery.Dataset(f"{PROJECT}.sales")
        made.description = "what was sold"
        made.labels = {"team": "sak"}
        made.default_table_expiration_ms = 3_600_000
        self.client.create_dataset(made)
        got = self.client.get_dataset("sales")
        self.assertEqual((got.description, got.labels, got.default_table_expiration_ms), ("what was sold", {"team": "sak"}, 3_600_000))
        self.assertIsNotNone(got.created)
        got.description = "other"
        got.labels = {"team": None, "zone": "landing"}
        changed = self.client.update_dataset(got, ["description", "labels"])
        self.assertEqual((changed.description, changed.labels), ("other", {"zone": "landing"}))
        with self.assertRaises(exceptions.PreconditionFailed):  # `got` holds the older etag
            self.client.update_dataset(got, ["description"], retry=NO_RETRY)
        self.assertIn("sales", [item.dataset_id for item in self.client.list_datasets()])
        self.assertEqual([item.dataset_id for item in self.client.list_datasets(filter="labels.zone:landing")], ["sales"])
        expiring = self.client.create_table(bigquery.Table(f"{PROJECT}.sales.t", [bigquery.SchemaField("a", "INT64")]))
        self.assertIsNotNone(expiring.expires)
        with self.assertRaises(exceptions.BadRequest) as caught:
            self.client.delete_dataset("sales", retry=NO_RETRY)
        self.assertIn("Dataset team-sak:sales is still in use", str(caught.exception))
        self.client.delete_dataset("sales", delete_contents=True)
        with self.assertRaises(exceptions.NotFound):
            self.client.get_dataset("sales", retry=NO_RETRY)

    def test_existing_is_a_conflict(self):
        with self.assertRaises(exceptions.Conflict) as caught:
            self.client.create_dataset(self.dataset.dataset_id, retry=NO_RETRY)
        self.assertIn("Already Exists: Dataset", str(caught.exception))
        self.client.create_dataset(self.dataset.dataset_id, exists_ok=True)

    def test_paged_list(self):
        for i in range(5):
            self.client.create_dataset(f"page_{i}")
        listed = [item.dataset_id for item in self.client.list_datasets(page_size=2)]
        self.assertEqual([name for name in listed if name.startswith("page_")], [f"page_{i}" for i in range(5)])
        self.assertEqual(len(list(self.client.list_datasets(max_results=3))), 3)


class Tables(RestClient):
    SCHEMA = [
        bigquery.SchemaField("id", "INT64", mode="REQUIRED", description="the key"),
        bigquery.SchemaField("name", "STRING", max_length=100),
        bigquery.SchemaField("tags", "STRING", mode="REPEATED"),
        bigquery.SchemaField("amount", "NUMERIC", precision=10, scale=2),
        bigquery.SchemaField("place", "RECORD", fields=[bigquery.SchemaField("street", "STRING"), bigquery.SchemaField("no", "INT64")]),
        bigquery.SchemaField("at", "TIMESTAMP"),
    ]

    def test_create_get_change_delete(self):
        wanted = bigquery.Table(self.table_id("t"), self.SCHEMA)
        wanted.description = "about"
        wanted.clustering_fields = ["id"]
        wanted.max_staleness = "0-0 0 0:10:0"
        wanted.table_constraints = bigquery.table.TableConstraints(primary_key=bigquery.table.PrimaryKey(["id"]), foreign_keys=None)
        self.client.create_table(wanted)
        got = self.client.get_table(wanted.reference)
        self.assertEqual([field.name for field in got.schema], [field.name for field in self.SCHEMA])
        self.assertEqual([field.field_type for field in got.schema], ["INTEGER", "STRING", "STRING", "NUMERIC", "RECORD", "TIMESTAMP"])
        self.assertEqual([field.mode for field in got.schema][:3], ["REQUIRED", "NULLABLE", "REPEATED"])
        self.assertEqual((got.schema[0].description, got.schema[1].max_length, got.schema[3].precision), ("the key", 100, 10))
        self.assertEqual(got.table_constraints.primary_key.columns, ["id"])
        self.assertEqual((got.num_rows, got.clustering_fields, got.table_type), (0, ["id"], "TABLE"))
        got.schema = [*got.schema, bigquery.SchemaField("later", "DATE")]
        got.description = None
        changed = self.client.update_table(got, ["schema", "description"])
        self.assertEqual(changed.schema[-1].name, "later")
        self.assertIsNone(changed.description)
        self.assertEqual(changed.table_constraints.primary_key.columns, ["id"])
        self.assertEqual([item.table_id for item in self.client.list_tables(self.dataset)], ["t"])
        with self.assertRaises(exceptions.Conflict):
            self.client.create_table(wanted, retry=NO_RETRY)
        self.client.delete_table(wanted)
        with self.assertRaises(exceptions.NotFound) as caught:
            self.client.get_table(wanted.reference, retry=NO_RETRY)
        self.assertEqual(caught.exception.errors[0]["reason"], "notFound")
        self.client.delete_table(wanted, not_found_ok=True)

    def test_removing_a_column_is_refused(self):
        table = self.client.create_table(bigquery.Table(self.table_id("t"), self.SCHEMA))
        table.schema = table.schema[1:]
        with self.assertRaises(exceptions.BadRequest):
            self.client.update_table(table, ["schema"], retry=NO_RETRY)

    def test_what_is_not_there_says_so(self):
        view = bigquery.Table(self.table_id("v"))
        view.view_query = "SELECT 1"
        with self.assertRaises(exceptions.GoogleAPICallError) as caught:
            self.client.create_table(view, retry=NO_RETRY)
        self.assertEqual(caught.exception.code, 501)
        with self.assertRaises(exceptions.GoogleAPICallError) as caught:
            self.client.list_models(self.dataset, retry=NO_RETRY).pages.__next__()
        self.assertEqual(caught.exception.code, 501)


class Queries(RestClient):
    def test_values_come_back_as_python_has_them(self):
        row = self.rows("""SELECT 1, -9223372036854775808, 1.5, CAST('nan' AS FLOAT64), TRUE, 'æøå', b'\\x00\\xff', DATE '2024-02-29',
            DATETIME '2024-02-29 12:34:56.789', TIME '12:34:56', TIMESTAMP '2024-02-29 12:34:56.789+00', NUMERIC '123.456',
            [1, 2], STRUCT('a' AS x, 2 AS y), CAST(NULL AS STRING)""")[0]
        self.assertEqual(row[:3], (1, -9223372036854775808, 1.5))
        self.assertNotEqual(row[3], row[3])
        self.assertEqual(row[4:], (
            True, "æøå", b"\x00\xff", datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 34, 56, 789000),
            datetime.time(12, 34, 56), datetime.datetime(2024, 2, 29, 12, 34, 56, 789000, datetime.timezone.utc),
            decimal.Decimal("123.456"), [1, 2], {"x": "a", "y": 2}, None))

    def test_named_parameters(self):
        found = self.rows("SELECT @i, @s, @n, @d, @t, @list, @s = 'x'", query_parameters=[
            bigquery.ScalarQueryParameter("i", "INT64", 42),
            bigquery.ScalarQueryParameter("s", "STRING", "it's"),
            bigquery.ScalarQueryParameter("n", "NUMERIC", decimal.Decimal("1.10")),
            bigquery.ScalarQueryParameter("d", "DATE", datetime.date(2024, 1, 2)),
            bigquery.ScalarQueryParameter("t", "TIMESTAMP", datetime.datetime(2024, 1, 2, 3, 4, 5, 6, datetime.timezone.utc)),
            bigquery.ArrayQueryParameter("list", "INT64", [1, 2, 3])])
        self.assertEqual(found, [(42, "it's", decimal.Decimal("1.1"), datetime.date(2024, 1, 2),
                                  datetime.datetime(2024, 1, 2, 3, 4, 5, 6, datetime.timezone.utc), [1, 2, 3], False)])

    def test_positional_parameters(self):
        self.assertEqual(self.rows("SELECT ? + ?, ?", query_parameters=[
            bigquery.ScalarQueryParameter(None, "INT64", 1), bigquery.ScalarQueryParameter(None, "INT64", 2),
            bigquery.ScalarQueryParameter(None, "STRING", None)]), [(3, None)])

    def test_pages(self):
        sql = "SELECT a * 1000 + b AS n FROM UNNEST(GENERATE_ARRAY(0, 24)) AS a, UNNEST(GENERATE_ARRAY(0, 999)) AS b ORDER BY n"
        job = self.client.query(sql)
        result = job.result(page_size=7_000)
        self.assertEqual(result.total_rows, 25_000)
        pages = [[row.n for row in page] for page in result.pages]
        self.assertEqual([len(page) for page in pages], [7_000, 7_000, 7_000, 4_000])
        self.assertEqual([n for page in pages for n in page], list(range(25_000)))
        self.assertEqual([row.n for row in job.result(max_results=3)], [0, 1, 2])

    def test_results_from_an_index_on(self):
        sql = "SELECT n FROM UNNEST(GENERATE_ARRAY(0, 9)) AS n ORDER BY n"
        for options, expected in (({"start_index": 7}, [7, 8, 9]), ({"start_index": 2, "max_results": 3}, [2, 3, 4]),
                                  ({"start_index": 2, "page_size": 3}, [2, 3, 4, 5, 6, 7, 8, 9]), ({"start_index": 10}, [])):
            with self.subTest(options):
                self.assertEqual([row.n for row in self.client.query(sql).result(**options)], expected)
        # The client keeps rows that came without an index (api_method QUERY, max_results) and shows those first.
        job = self.client.query(sql)
        self.assertEqual([row.n for row in job.result(start_index=4)], [4, 5, 6, 7, 8, 9])
        self.assertEqual([row.n for row in job.result(start_index=8)], [8, 9])
        self.assertEqual([row.n for row in job.result()], list(range(10)))

    def test_an_answer_goes_into_a_table(self):
        target = self.table_id("answers")
        def write(sql, how):
            job = self.client.query(sql, job_config=bigquery.QueryJobConfig(destination=target, write_disposition=how))
            return sorted(tuple(row) for row in job.result(retry=NO_RETRY, job_retry=None))
        self.assertEqual(write("SELECT 1 AS id, 'a' AS s", "WRITE_EMPTY"), [(1, "a")])
        self.assertEqual(write("SELECT 'b' AS s, 2 AS id", "WRITE_APPEND"), [(1, "a"), (2, "b")])
        with self.assertRaises(exceptions.Conflict):
            write("SELECT 3 AS id", "WRITE_EMPTY")
        with self.assertRaises(exceptions.BadRequest) as caught:
            write("SELECT 'x' AS id", "WRITE_APPEND")
        self.assertIn("Field id has changed type from INT64 to STRING", str(caught.exception))
        with self.assertRaises(exceptions.BadRequest) as caught:
            write("SELECT 1 AS id, 2 AS ID", "WRITE_TRUNCATE")
        self.assertIn("Duplicate column names in the result are not supported when a destination table is present", str(caught.exception))
        self.assertEqual(write(f"SELECT id * 10 AS n FROM `{target}`", "WRITE_TRUNCATE"), [(10,), (20,)])
        self.assertEqual([field.name for field in self.client.get_table(target).schema], ["n"])
        many = "SELECT n, REPEAT('x', 100) AS s FROM UNNEST(GENERATE_ARRAY(1, 30000)) AS n"
        self.assertEqual(write(many, "WRITE_TRUNCATE"), [(n, "x" * 100) for n in range(1, 30001)])

    def test_rows_are_replaced_and_the_table_stays(self):
        target = self.table_id("kept")
        self.client.query(f"CREATE TABLE `{target}` (id INT64, s STRING) OPTIONS(description='kept')").result()
        before = self.client.get_table(target)
        config = bigquery.QueryJobConfig(destination=target, write_disposition="WRITE_TRUNCATE_DATA", labels={"team": "sak"})
        for n in (1, 2):
            job = self.client.query(f"SELECT {n} AS id", job_config=config, job_id=f"replace-{n}", job_retry=None)
            self.assertEqual([tuple(row) for row in job.result()], [(n, None)])
            self.assertEqual(job.labels, {"team": "sak"})
        after = self.client.get_table(target)
        self.assertEqual((after.etag, after.created, after.description), (before.etag, before.created, "kept"))
        with self.assertRaises(exceptions.Conflict):
            self.client._call_api(NO_RETRY, path=f"/projects/{self.client.project}/jobs", method="POST", data={
                "jobReference": {"projectId": self.client.project, "jobId": "replace-1"},
                "configuration": {"query": {"query": "SELECT 1", "useLegacySql": False}}})

    def test_merge_tells_what_it_did(self):
        target = self.table_id("merged")
        self.client.query(f"CREATE TABLE `{target}` AS SELECT 1 AS id, 'a' AS s UNION ALL SELECT 2, 'b'").result()
        job = self.client.query(f"""MERGE `{target}` t USING (SELECT 2 AS id, 'B' AS s UNION ALL SELECT 3, 'C') s ON t.id = s.id
            WHEN MATCHED THEN UPDATE SET s = s.s WHEN NOT MATCHED THEN INSERT ROW WHEN NOT MATCHED BY SOURCE THEN DELETE""")
        job.result()
        self.assertEqual((job.statement_type, job.num_dml_affected_rows), ("MERGE", 3))
        self.assertEqual((job.dml_stats.inserted_row_count, job.dml_stats.updated_row_count, job.dml_stats.deleted_row_count), (1, 1, 1))
        self.assertEqual([tuple(row) for row in self.client.query(f"SELECT * FROM `{target}` ORDER BY id").result()], [(2, "B"), (3, "C")])
        with self.assertRaises(exceptions.BadRequest) as caught:
            self.client.query(f"UPDATE `{target}` t SET s = n.s FROM (SELECT 2 AS id, 'x' AS s UNION ALL SELECT 2, 'y') n WHERE t.id = n.id").result(retry=NO_RETRY, job_retry=None)
        self.assertIn("UPDATE/MERGE must match at most one source row for each target row", str(caught.exception))

    def test_cost_is_told_and_limited(self):
        target = self.table_id("cost")
        self.client.query(f"CREATE TABLE `{target}` AS SELECT 1 AS id").result()
        self.assertEqual(self.client.query(f"SELECT id FROM `{target}`", job_config=bigquery.QueryJobConfig(dry_run=True)).total_bytes_processed, 8)
        with self.assertRaises(exceptions.BadRequest) as caught:
            self.client.query(f"SELECT id FROM `{target}`", job_config=bigquery.QueryJobConfig(maximum_bytes_billed=1)).result(retry=NO_RETRY, job_retry=None)
        self.assertIn("Query exceeded limit for bytes billed: 1. 10485760 or higher required.", str(caught.exception))

    def test_query_and_wait(self):
        self.assertEqual([tuple(row) for row in self.client.query_and_wait("SELECT 'a' AS x UNION ALL SELECT 'b' ORDER BY x", page_size=1)], [("a",), ("b",)])

    def test_dry_run(self):
        job = self.client.query("SELECT 1 AS a, 'x' AS b", job_config=bigquery.QueryJobConfig(dry_run=True))
        self.assertEqual(job.state, "DONE")
        self.assertEqual([(field.name, field.field_type) for field in job.schema], [("a", "INTEGER"), ("b", "STRING")])
        with self.assertRaises(exceptions.BadRequest):
            self.client.query("SELECT nothing", job_config=bigquery.QueryJobConfig(dry_run=True), retry=NO_RETRY)

    def test_mistakes_have_googles_sentences(self):
        with self.assertRaises(exceptions.BadRequest) as caught:
            self.client.query_and_wait("SLECT 1")
        self.assertIn('Syntax error: Unexpected identifier "SLECT" at [1:1]', str(caught.exception))
        self.assertEqual(caught.exception.errors[0]["reason"], "invalidQuery")
        with self.assertRaises(exceptions.NotFound) as caught:
            self.client.query_and_wait(f"SELECT * FROM `{self.table_id('missing')}`")
        self.assertIn("Not found: Table", str(caught.exception))

    def test_jobs_of_the_jobs_api(self):
        job = self.client.query("SELECT 1", job_id_prefix="mine-", api_method="INSERT")
        job.result()
        again = self.client.get_job(job.job_id)
        self.assertEqual((again.state, again.statement_type, again.error_result), ("DONE", "SELECT", None))
        self.assertIn(job.job_id, [item.job_id for item in self.client.list_jobs(max_results=20)])
        with self.assertRaises(exceptions.Conflict):
            self.client.query("SELECT 2", job_id=job.job_id, api_method="INSERT", retry=NO_RETRY, job_retry=None)
        failed = self.client.query("SELECT nothing", api_method="INSERT")
        with self.assertRaises(exceptions.BadRequest):
            failed.result()
        self.assertEqual(self.client.get_job(failed.job_id).error_result["reason"], "invalidQuery")
        with self.assertRaises(exceptions.NotFound):
            self.client.get_job("never_was", retry=NO_RETRY)

    def test_cancel(self):
        slow = "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 3000000)) AS a, UNNEST(GENERATE_ARRAY(1, 3000000)) AS b WHERE MOD(a * b, 7) = 1"
        job = self.client.query(slow, api_method="INSERT")
        self.assertIn(job.state, ("PENDING", "RUNNING"))
        job.cancel()
        with self.assertRaises(exceptions.GoogleAPICallError) as caught:
            job.result(retry=NO_RETRY, job_retry=None)
        self.assertIn("cancelled", str(caught.exception))
        self.assertEqual(self.client.get_job(job.job_id).error_result["reason"], "stopped")

    def test_ddl_insert_and_tabledata(self):
        name = self.table_id("made")
        created = self.client.query(f"CREATE TABLE `{name}` (id INT64 NOT NULL, s STRING, `at` TIMESTAMP)")
        created.result()
        self.assertEqual((created.statement_type, created.ddl_operation_performed), ("CREATE_TABLE", "CREATE"))
        inserted = self.client.query(f"INSERT INTO `{name}` SELECT n, CONCAT('s', CAST(n AS STRING)), TIMESTAMP '2024-01-02 03:04:05+00' FROM UNNEST(GENERATE_ARRAY(1, 10)) AS n")
        inserted.result()
        self.assertEqual(inserted.num_dml_affected_rows, 10)
        table = self.client.get_table(name)
        rows = [tuple(row) for row in self.client.list_rows(table, page_size=3)]
        self.assertEqual(sorted(rows)[0], (1, "s1", datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)))
        self.assertEqual(len(rows), 10)
        self.assertEqual(len(list(self.client.list_rows(table, start_index=8))), 2)
        self.assertEqual(len(list(self.client.list_rows(table, max_results=4))), 4)
        self.assertEqual(sorted(tuple(row) for row in self.client.list_rows(table, selected_fields=table.schema[1:2]))[0], ("s1",))

    def test_a_page_list_is_one_snapshot(self):
        name = self.table_id("growing")
        self.client.query(f"CREATE TABLE `{name}` AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 10)) AS n").result()
        pages = self.client.list_rows(self.client.get_table(name), page_size=4).pages
        seen = [row.n for row in next(pages)]
        self.client.query(f"INSERT INTO `{name}` SELECT n FROM UNNEST(GENERATE_ARRAY(100, 200)) AS n").result()
        seen += [row.n for page in pages for row in page]
        self.assertEqual(sorted(seen), list(range(1, 11)))

    def test_many_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            self.assertEqual(sorted(pool.map(lambda n: self.rows(f"SELECT {n}")[0][0], range(64))), list(range(64)))


class Wire(RestClient):
    """What other programs than the Python client send."""

    def ask(self, method, path, body=None, headers=None, raw=None):
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.service.endpoints["rest"] + path, method=method, data=data,
                                         headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as failure:
            with failure:
                return failure.code, json.loads(failure.read())

    def test_both_roots_and_overridden_methods(self):
        dataset = f"projects/{PROJECT}/datasets/{self.dataset.dataset_id}"
        for root in ("/bigquery/v2/", "/"):
            self.assertEqual(self.ask("GET", root + dataset)[0], 200)
        status, answer = self.ask("POST", "/bigquery/v2/" + dataset, {"description": "patched"}, {"X-HTTP-Method-Override": "PATCH"})
        self.assertEqual((status, answer["description"]), (200, "patched"))

    def test_gzip_bodies(self):
        body = gzip.compress(json.dumps({"query": "SELECT 7 AS n", "useLegacySql": False}).encode())
        status, answer = self.ask("POST", f"/bigquery/v2/projects/{PROJECT}/queries", raw=body, headers={"Content-Encoding": "gzip"})
        self.assertEqual((status, answer["rows"]), (200, [{"f": [{"v": "7"}]}]))

    def test_timestamp_forms(self):
        def shown(**options):
            body = {"query": "SELECT TIMESTAMP '2014-08-19 07:41:35+00'", "useLegacySql": False, "formatOptions": options}
            return self.ask("POST", f"/bigquery/v2/projects/{PROJECT}/queries", body)[1]["rows"][0]["f"][0]["v"]
        self.assertEqual(shown(), "1.408434095E9")
        self.assertEqual(shown(useInt64Timestamp=True), "1408434095000000")
        self.assertEqual(shown(timestampOutputFormat="INT64"), "1408434095000000")

    def test_legacy_sql_is_refused(self):
        status, answer = self.ask("POST", f"/bigquery/v2/projects/{PROJECT}/queries", {"query": "SELECT 1"})
        self.assertEqual((status, answer["error"]["errors"][0]["reason"]), (400, "invalidQuery"))
        self.assertIn("Legacy SQL is not supported", answer["error"]["message"])

    def test_no_rows_and_no_wait(self):
        path = f"/bigquery/v2/projects/{PROJECT}/queries"
        status, answer = self.ask("POST", path, {"query": "SELECT * FROM UNNEST([1, 2, 3])", "useLegacySql": False, "maxResults": 0})
        self.assertEqual((status, answer["totalRows"], "rows" in answer), (200, "3", False))
        status, page = self.ask("GET", f"{path}/{answer['jobReference']['jobId']}?pageToken={answer['pageToken']}")
        self.assertEqual((status, len(page["rows"]), "pageToken" in page), (200, 3, False))
        status, answer = self.ask("POST", path, {"query": "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 2000000)) AS a", "useLegacySql": False, "timeoutMs": 0})
        self.assertIn(answer["jobComplete"], (True, False))
        status, answer = self.ask("GET", f"{path}/{answer['jobReference']['jobId']}?timeoutMs=60000")
        self.assertEqual((answer["jobComplete"], answer["rows"][0]["f"][0]["v"]), (True, "2000000"))

    def test_pages_of_both_methods(self):
        path = f"/bigquery/v2/projects/{PROJECT}/queries"
        numbers = lambda answer: [int(row["f"][0]["v"]) for row in answer.get("rows", [])]
        status, answer = self.ask("POST", path, {"query": "SELECT n FROM UNNEST(GENERATE_ARRAY(0, 9)) AS n ORDER BY n",
                                                 "useLegacySql": False, "maxResults": 4})
        self.assertEqual((status, answer["totalRows"], numbers(answer)), (200, "10", [0, 1, 2, 3]))
        job = f"{path}/{answer['jobReference']['jobId']}"
        status, second = self.ask("GET", f"{job}?maxResults=4&pageToken={answer['pageToken']}")
        self.assertEqual((status, second["totalRows"], numbers(second)), (200, "10", [4, 5, 6, 7]))
        status, third = self.ask("GET", f"{job}?maxResults=4&pageToken={second['pageToken']}")
        self.assertEqual((status, numbers(third), "pageToken" in third), (200, [8, 9], False))
        status, page = self.ask("GET", f"{job}?startIndex=3&maxResults=2")
        self.assertEqual((status, page["totalRows"], numbers(page)), (200, "10", [3, 4]))
        status, page = self.ask("GET", f"{job}?maxResults=2&pageToken={page['pageToken']}")
        self.assertEqual((status, numbers(page)), (200, [5, 6]))
        status, page = self.ask("GET", f"{job}?startIndex=8")
        self.assertEqual((status, numbers(page), "pageToken" in page), (200, [8, 9], False))
        status, page = self.ask("GET", f"{job}?startIndex=10")
        self.assertEqual((status, page["totalRows"], numbers(page), "pageToken" in page), (200, "10", [], False))
        self.assertEqual(self.ask("GET", f"{job}?startIndex=-1")[0], 400)
        self.assertEqual(self.ask("GET", f"{job}?pageToken=none")[0], 400)

    def test_a_repeated_request_id_runs_once(self):
        name = self.table_id("once")
        self.client.query(f"CREATE TABLE `{name}` (n INT64)").result()
        body = {"query": f"INSERT INTO `{name}` (n) VALUES (1)", "useLegacySql": False, "requestId": "0f3c-1"}
        jobs = {self.ask("POST", f"/bigquery/v2/projects/{PROJECT}/queries", body)[1]["jobReference"]["jobId"] for _ in range(3)}
        self.assertEqual(len(jobs), 1)
        self.assertEqual(self.rows(f"SELECT COUNT(*) FROM `{name}`"), [(1,)])

    def test_foreign_pages_and_names_are_refused(self):
        path = f"/bigquery/v2/projects/{PROJECT}/datasets"
        self.assertEqual(self.ask("GET", path, headers={"Origin": "https://evil.example"})[0], 403)
        self.assertEqual(self.ask("GET", path, headers={"Host": "evil.example"})[0], 403)

    def test_wrong_requests(self):
        datasets = f"/bigquery/v2/projects/{PROJECT}/datasets"
        self.assertEqual(self.ask("POST", datasets, raw=b"{")[0], 400)
        self.assertEqual(self.ask("POST", datasets, raw=b"[" * 100_000)[0], 400)
        self.assertEqual(self.ask("GET", "/bigquery/v2/nothing")[0], 404)
        status, answer = self.ask("GET", f"{datasets}/d/routines")
        self.assertEqual((status, answer["error"]["status"]), (501, "UNIMPLEMENTED"))
        self.assertEqual(self.ask("GET", f"{datasets}/no%2Fname")[0], 400)


class Restart(unittest.TestCase):
    def test_what_was_made_is_there_after_a_kill(self):
        service = Service()
        self.addCleanup(service.close)
        client = service.rest()
        client.create_dataset("kept")
        client.query(f"CREATE TABLE `{PROJECT}.kept.t` AS SELECT 1 AS a").result()
        client.close()
        service.stop(9)
        service.start()
        client = service.rest()
        self.addCleanup(client.close)
        self.assertEqual([tuple(row) for row in client.query_and_wait(f"SELECT a FROM `{PROJECT}.kept.t`")], [(1,)])
        self.assertEqual(service.stop(), 0)



if __name__ == "__main__":
    unittest.main()
