// Golden vectors for Kafka's default partitioner, made by Kafka's own Java client, so that our
// murmur2 is checked against another implementation and not against itself.
//
// From the repository's root, once the jars are there (`make demo` fetches them):
//   java -cp '.offset-zero/kafka-4.2.1/libs/*' dev/kafka/Murmur2Vectors.java \
//     > event-store/tests/vectors/murmur2.txt
//
// Deterministic on purpose: a second run must give the same file.

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.common.utils.Utils;

public final class Murmur2Vectors {
    private static final int[] PARTITION_COUNTS = {4, 16, 7};

    public static void main(String[] arguments) {
        System.out.println("# Kafka's murmur2 as computed by org.apache.kafka:kafka-clients " + AppInfoParser.getVersion());
        System.out.println("# made by: java -cp '.offset-zero/kafka-4.2.1/libs/*' dev/kafka/Murmur2Vectors.java");
        System.out.println("# columns: key bytes in hex (- for the empty key), murmur2 as a signed 32-bit number,");
        System.out.println("#          toPositive(murmur2) % 4, % 16, % 7");
        for (byte[] key : keys()) {
            System.out.println(line(key));
        }
    }

    private static String line(byte[] key) {
        int hash = Utils.murmur2(key);
        StringBuilder line = new StringBuilder(key.length == 0 ? "-" : HexFormat.of().formatHex(key));
        line.append(' ').append(hash);
        for (int partitions : PARTITION_COUNTS) {
            line.append(' ').append(Utils.toPositive(hash) % partitions);
        }
        return line.toString();
    }

    private static Iterable<byte[]> keys() {
        Random random = new Random(20_260_101);
        Map<String, byte[]> keys = new LinkedHashMap<>();
        add(keys, new byte[0]);
        for (int length = 1; length <= 9; length++) {
            add(keys, "123456789".substring(0, length).getBytes(StandardCharsets.UTF_8));
            byte[] high = new byte[length];
            java.util.Arrays.fill(high, (byte) 0xff);
            add(keys, high);
            add(keys, new byte[length]);
        }
        // Bytes above 0x7f: where a port that sign-extends goes wrong, in the blocks and in the tail.
        for (int count = 0; count < 90; count++) {
            byte[] key = new byte[1 + count % 30];
            random.nextBytes(key);
            add(keys, key);
        }
        for (int count = 0; count < 110; count++) {
            UUID id = new UUID(random.nextLong(), random.nextLong());
            add(keys, id.toString().getBytes(StandardCharsets.UTF_8));
        }
        for (int count = 0; count < 60; count++) {
            add(keys, ("SKU-" + (1000 + count * 37) + (count % 3 == 0 ? ".blue" : "")).getBytes(StandardCharsets.UTF_8));
        }
        for (String text : List.of("ä", "größe-42", "żółć", "注文", "注文-0001", "заказ", "طلب", "🛒", "🛒🛒", "é\u0301", "ﬁ", "naïve-café", "\u0000", " ")) {
            add(keys, text.getBytes(StandardCharsets.UTF_8));
        }
        return new ArrayList<>(keys.values());
    }

    private static void add(Map<String, byte[]> keys, byte[] key) {
        keys.put(HexFormat.of().formatHex(key), key);
    }
}
