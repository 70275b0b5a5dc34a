import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.cloud.NoCredentials;
import com.google.cloud.bigquery.BigQuery;
import com.google.cloud.bigquery.BigQueryException;
import com.google.cloud.bigquery.BigQueryOptions;
import com.google.cloud.bigquery.Field;
import com.google.cloud.bigquery.InsertAllRequest;
import com.google.cloud.bigquery.InsertAllResponse;
import com.google.cloud.bigquery.Schema;
import com.google.cloud.bigquery.StandardSQLTypeName;
import com.google.cloud.bigquery.StandardTableDefinition;
import com.google.cloud.bigquery.TableId;
import com.google.cloud.bigquery.TableInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The program of recipe.py with Google's own client for Java and Apache's for Kafka, told by the same variables. */
public final class Recipe {
  private static final Schema SCHEMA =
      Schema.of(
          Field.newBuilder("stringValue", StandardSQLTypeName.STRING).setMode(Field.Mode.REQUIRED).build(),
          Field.of("booleanValue", StandardSQLTypeName.BOOL),
          Field.of("numericValue", StandardSQLTypeName.INT64),
          Field.of("timestampValue", StandardSQLTypeName.TIMESTAMP));

  private static BigQuery connect() {
    BigQueryOptions.Builder options = BigQueryOptions.newBuilder().setProjectId(System.getenv("GOOGLE_CLOUD_PROJECT"));
    String emulator = System.getenv("BIGQUERY_EMULATOR_HOST");
    if (emulator != null) options.setHost(emulator).setCredentials(NoCredentials.getInstance());
    return options.build().getService();
  }

  private static TableId makeTable(BigQuery client) {
    TableId table = TableId.of(System.getenv("BIGQUERY_DATASET"), System.getenv("BIGQUERY_TABLE"));
    try {
      client.create(TableInfo.of(table, StandardTableDefinition.of(SCHEMA)));
      System.out.println("the table was made");
    } catch (BigQueryException failure) {
      if (failure.getCode() != 409) throw failure;
      System.out.println("the table was there");
    }
    return client.getTable(table).getTableId();
  }

  @SuppressWarnings("unchecked")
  private static void insert(BigQuery client, TableId table, byte[] message) throws Exception {
    Map<String, Object> row = new ObjectMapper().readValue(message, Map.class);
    InsertAllResponse answer = client.insertAll(InsertAllRequest.newBuilder(table).addRow(row).build());
    if (answer.hasErrors()) throw new IllegalStateException("insert errors: " + answer.getInsertErrors());
  }

  private static String pem(String variable) throws IOException {
    return Files.readString(Path.of(System.getenv(variable)));
  }

  private static void secure(Map<String, Object> settings) throws IOException {
    if (System.getenv("KAFKA_CA_PATH") == null) return;
    settings.put("security.protocol", "SSL");
    settings.put("ssl.truststore.type", "PEM");
    settings.put("ssl.truststore.certificates", pem("KAFKA_CA_PATH"));
    settings.put("ssl.keystore.type", "PEM");
    settings.put("ssl.keystore.certificate.chain", pem("KAFKA_CERTIFICATE_PATH"));
    settings.put("ssl.keystore.key", pem("KAFKA_PRIVATE_KEY_PATH"));
  }

  private static KafkaConsumer<byte[], byte[]> consumer() throws IOException {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", System.getenv("KAFKA_BROKERS"));
    settings.put("group.id", System.getenv("KAFKA_GROUP"));
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", false); // what was not inserted is not committed
    secure(settings);
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  public static void main(String[] arguments) throws Exception {
    String messages = System.getenv("MESSAGES");
    long left = messages == null ? Long.MAX_VALUE : Long.parseLong(messages);
    BigQuery client = connect();
    TableId table = makeTable(client);
    try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
      consumer.subscribe(List.of(System.getenv("KAFKA_TOPIC")));
      Map<TopicPartition, OffsetAndMetadata> inserted = new HashMap<>();
      while (left > 0) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          if (left == 0) break;
          insert(client, table, record.value());
          inserted.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
          --left;
        }
        consumer.commitSync(inserted);
      }
    }
    System.out.println(messages + " messages were inserted");
  }
}
