import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorSupplier;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams: a processor over a RocksDB store with its changelog, one output for each delta; GUARANTEE as its documentation names it. */
public class Wallet {
    public static class Delta { public String user_id, asset, amount; public long seq, ts; }
    public static class Balance { public String user_id, asset, balance; public long seq, ts; }

    static final ObjectMapper JSON = new ObjectMapper();

    static <T> Serde<T> json(Class<T> type) {
        ObjectReader reader = JSON.readerFor(type);
        ObjectWriter writer = JSON.writerFor(type);
        return Serdes.serdeFrom(
            (topic, value) -> { try { return value == null ? null : writer.writeValueAsBytes(value); } catch (Exception e) { throw new RuntimeException(e); } },
            (topic, bytes) -> { try { return bytes == null ? null : reader.readValue(bytes); } catch (Exception e) { throw new RuntimeException(e); } });
    }

    static class Apply implements FixedKeyProcessor<String, Delta, Balance> {
        FixedKeyProcessorContext<String, Balance> context;
        KeyValueStore<String, String> store;

        public void init(FixedKeyProcessorContext<String, Balance> given) {
            context = given;
            store = given.getStateStore("balances");
        }

        public void process(FixedKeyRecord<String, Delta> record) {
            Delta delta = record.value();
            String key = delta.user_id + "|" + delta.asset, old = store.get(key);
            BigDecimal sum = (old == null ? BigDecimal.ZERO : new BigDecimal(old)).add(new BigDecimal(delta.amount));
            Balance told = new Balance();
            told.user_id = delta.user_id; told.asset = delta.asset; told.balance = sum.toPlainString(); told.seq = delta.seq; told.ts = delta.ts;
            store.put(key, told.balance);
            context.forward(record.withValue(told));
        }
    }

    public static void main(String[] words) throws Exception {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("APP_ID"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("KAFKA_BOOTSTRAP"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("STATE_DIR"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, System.getenv("GUARANTEE"));
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        StoreBuilder<KeyValueStore<String, String>> store =
            Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("balances"), Serdes.String(), Serdes.String());
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(System.getenv("IN_TOPIC"), Consumed.with(Serdes.String(), json(Delta.class)))
            .processValues(new FixedKeyProcessorSupplier<String, Delta, Balance>() {
                public FixedKeyProcessor<String, Delta, Balance> get() { return new Apply(); }
                public Set<StoreBuilder<?>> stores() { return Set.of(store); }
            })
            .to(System.getenv("OUT_TOPIC"), Produced.with(Serdes.String(), json(Balance.class)));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(8))));
        streams.setUncaughtExceptionHandler(e -> { e.printStackTrace(); return StreamThreadExceptionResponse.SHUTDOWN_CLIENT; });
        streams.start();
        Thread.currentThread().join();
    }
}
