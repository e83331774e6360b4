import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.ingest.common.IngestCommonPlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/** One OpenSearch node from its jars alone: `Main HOME name=value…`, where each value is a setting of the node. */
public final class Main {
  /** The distribution finds its transport and the steps of pipelines in a folder; from jars they must be named. */
  private static final class JarNode extends Node {
    JarNode(Environment environment) {
      super(environment, List.of(Netty4Plugin.class, IngestCommonPlugin.class), false);
    }
  }

  public static void main(String[] args) throws Exception {
    Settings.Builder settings = Settings.builder().put("path.home", args[0]);
    for (int i = 1; i < args.length; i++) {
      String[] pair = args[i].split("=", 2);
      settings.put(pair[0], pair[1]);
    }
    LogConfigurator.configureWithoutConfig(settings.build());
    Environment environment = InternalSettingsPreparer.prepareEnvironment(
        settings.build(), Map.of(), Path.of(args[0], "config"), () -> "weir");
    Node node = new JarNode(environment).start();
    CountDownLatch ended = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        node.close();
      } catch (java.io.IOException error) {
        error.printStackTrace();
      }
      ended.countDown();
    }));
    ended.await();
  }
}
