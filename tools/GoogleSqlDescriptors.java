import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes the message descriptors of Google's SQL analyzer, which are published only inside its Java classes, as two
 * FileDescriptorSets that protoc reads:
 *
 * <ul>
 *   <li>FULL: every file that the analyzer's service reaches.
 *   <li>PRUNED: the same without the parse tree (222,000 lines of C++ for one field of one answer) and without what
 *       only the parse tree needed. Fields of a dropped type are left out; protobuf keeps them as unknown fields.
 * </ul>
 *
 * <p>FILES lists, one a line, the files of PRUNED that need code; protobuf itself brings the others.
 *
 * <p>Usage: java -cp ... GoogleSqlDescriptors.java FULL PRUNED FILES
 */
public class GoogleSqlDescriptors {
  private static final String ROOT_CLASS = "com.google.zetasql.LocalService";
  private static final String DROPPED_FILE = "zetasql/parser/parse_tree.proto";

  public static void main(String[] args) throws Exception {
    FileDescriptor root =
        (FileDescriptor) Class.forName(ROOT_CLASS).getMethod("getDescriptor").invoke(null);
    Map<String, FileDescriptorProto> files = new LinkedHashMap<>();
    collect(root, files);
    write(files.values(), Path.of(args[0]));

    Set<String> dropped = new HashSet<>();
    FileDescriptorProto tree = files.get(DROPPED_FILE);
    for (DescriptorProto message : tree.getMessageTypeList()) {
      dropped.add("." + tree.getPackage() + "." + message.getName());
    }
    Map<String, FileDescriptorProto> kept = new LinkedHashMap<>();
    reach(root.getFullName(), files, dropped, kept);
    write(kept.values(), Path.of(args[1]));
    List<String> names = new ArrayList<>(kept.keySet());
    names.removeIf(name -> name.startsWith("google/protobuf/"));
    Files.write(Path.of(args[2]), names);
  }

  /** Adds `file` after everything that it imports. */
  private static void collect(FileDescriptor file, Map<String, FileDescriptorProto> into) {
    if (into.containsKey(file.getFullName())) return;
    for (FileDescriptor imported : file.getDependencies()) collect(imported, into);
    into.put(file.getFullName(), file.toProto());
  }

  private static void reach(
      String name, Map<String, FileDescriptorProto> files, Set<String> dropped,
      Map<String, FileDescriptorProto> into) {
    if (name.equals(DROPPED_FILE) || into.containsKey(name)) return;
    FileDescriptorProto file = files.get(name);
    for (String imported : file.getDependencyList()) reach(imported, files, dropped, into);
    into.put(name, prune(file, dropped));
  }

  private static FileDescriptorProto prune(FileDescriptorProto file, Set<String> dropped) {
    if (!file.getDependencyList().contains(DROPPED_FILE)) return file;
    FileDescriptorProto.Builder builder = file.toBuilder();
    List<String> imports = new ArrayList<>(file.getDependencyList());
    imports.remove(DROPPED_FILE);
    builder.clearDependency().addAllDependency(imports);
    for (int i = 0; i < builder.getMessageTypeCount(); i++) {
      builder.setMessageType(i, prune(builder.getMessageType(i), dropped));
    }
    return builder.build();
  }

  /** Leaves out the fields of a dropped type, and the oneofs that have no field left. */
  private static DescriptorProto prune(DescriptorProto message, Set<String> dropped) {
    List<FieldDescriptorProto> fields = new ArrayList<>();
    Set<Integer> used = new HashSet<>();
    for (FieldDescriptorProto field : message.getFieldList()) {
      if (dropped.contains(field.getTypeName())) continue;
      fields.add(field);
      if (field.hasOneofIndex()) used.add(field.getOneofIndex());
    }
    DescriptorProto.Builder builder = message.toBuilder().clearField().clearOneofDecl();
    Map<Integer, Integer> renumbered = new HashMap<>();
    for (int i = 0; i < message.getOneofDeclCount(); i++) {
      if (!used.contains(i)) continue;
      renumbered.put(i, builder.getOneofDeclCount());
      builder.addOneofDecl(message.getOneofDecl(i));
    }
    for (FieldDescriptorProto field : fields) {
      builder.addField(
          field.hasOneofIndex()
              ? field.toBuilder().setOneofIndex(renumbered.get(field.getOneofIndex())).build()
              : field);
    }
    for (int i = 0; i < builder.getNestedTypeCount(); i++) {
      builder.setNestedType(i, prune(builder.getNestedType(i), dropped));
    }
    return builder.build();
  }

  private static void write(Iterable<FileDescriptorProto> files, Path path) throws IOException {
    Files.write(path, FileDescriptorSet.newBuilder().addAllFile(files).build().toByteArray());
  }
}
