// googlesql_helper: holds Google's analyzer library in a process of its own.
//
// The library (liblocal_service_jni.so) carries its own protobuf, gRPC and C++ runtime with all symbols exported, so it
// must not share an address space with ours. It is made for a Java virtual machine: JNI_OnLoad registers one native
// method, and each call of that method makes a Unix socket pair with a gRPC server on one end and hands the other end
// to sun.nio.ch.IOUtil.newFD(int). This program plays the virtual machine: a JavaVM and a JNIEnv with the dozen
// entries that the library calls; every other entry ends the process and names its number.
//
// Control protocol on descriptor 3, a SOCK_SEQPACKET socket (see process.h of this folder for the other end):
//   after start  ->  "R"                ready, or "E<sentence>" and exit status 1
//   "C"          ->  "F" + SCM_RIGHTS   one new connection, or "E<sentence>"
//   end of file                          the owner is gone: exit
// No libstdc++ is linked: its symbols would take the place of the library's own.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <jni.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstddef>
#include <utility>

namespace {

constexpr int kControlFd = 3;
constexpr size_t kJniEntries = sizeof(JNINativeInterface_) / sizeof(void*);

// Objects of the pretended machine are addresses of these; none is ever looked into by the library.
char class_of[4][1];
char class_other, method_get_property, method_new_fd, method_other, object_descriptor, object_channel;
const char kProviderClass[] = "com/google/zetasql/JniChannelProvider";

jobject (*get_socket_channel)(JNIEnv*, jclass) = nullptr;
int last_fd = -1;  // written by newFD on the one thread that asks for connections

[[noreturn]] void die(const char* what, size_t number) {
  dprintf(STDERR_FILENO, "googlesql_helper: %s %zu\n", what, number);
  _exit(3);
}

template <size_t Index>
void jni_entry_not_provided() {
  die("the analyzer called JNI entry", Index);
}

template <size_t... Index>
void fill_with_deaths(void** table, std::index_sequence<Index...>) {
  void* entries[] = {reinterpret_cast<void*>(&jni_entry_not_provided<Index>)...};
  memcpy(table, entries, sizeof(entries));
}

template <typename T>
T reference(char* address) {
  return reinterpret_cast<T>(address);
}

jint get_version(JNIEnv*) { return JNI_VERSION_1_8; }

jclass find_class(JNIEnv*, const char* name) {
  if (strcmp(name, "java/lang/System") == 0) return reference<jclass>(class_of[0]);
  if (strcmp(name, "sun/nio/ch/SocketChannelImpl") == 0) return reference<jclass>(class_of[1]);
  if (strcmp(name, "sun/nio/ch/IOUtil") == 0) return reference<jclass>(class_of[2]);
  if (strcmp(name, kProviderClass) == 0) return reference<jclass>(class_of[3]);
  return reference<jclass>(&class_other);
}

jmethodID get_static_method(JNIEnv*, jclass, const char* name, const char*) {
  if (strcmp(name, "getProperty") == 0) return reinterpret_cast<jmethodID>(&method_get_property);
  if (strcmp(name, "newFD") == 0) return reinterpret_cast<jmethodID>(&method_new_fd);
  return reinterpret_cast<jmethodID>(&method_other);
}

jmethodID get_method(JNIEnv*, jclass, const char*, const char*) { return reinterpret_cast<jmethodID>(&method_other); }

jobject call_static_object(JNIEnv*, jclass, jmethodID method, va_list arguments) {
  if (method == reinterpret_cast<jmethodID>(&method_new_fd)) {
    last_fd = va_arg(arguments, jint);
    return reference<jobject>(&object_descriptor);
  }
  if (method == reinterpret_cast<jmethodID>(&method_get_property)) {
    return reinterpret_cast<jobject>(const_cast<char*>(kProviderClass));
  }
  die("the analyzer called an unexpected static method", 0);
}

jobject new_object(JNIEnv*, jclass, jmethodID, va_list) { return reference<jobject>(&object_channel); }

// A jstring of this machine is the address of its characters.
jstring new_string(JNIEnv*, const char* text) { return reinterpret_cast<jstring>(const_cast<char*>(text)); }
const char* get_string(JNIEnv*, jstring text, jboolean* is_copy) {
  if (is_copy != nullptr) *is_copy = JNI_FALSE;
  return reinterpret_cast<const char*>(text);
}
void release_string(JNIEnv*, jstring, const char*) {}

jint register_natives(JNIEnv*, jclass, const JNINativeMethod* methods, jint count) {
  for (jint i = 0; i < count; ++i) {
    if (strcmp(methods[i].name, "getSocketChannel") == 0) {
      get_socket_channel = reinterpret_cast<decltype(get_socket_channel)>(methods[i].fnPtr);
    }
  }
  return JNI_OK;
}

JNINativeInterface_ native_table;
JNIEnv native_env;
JNIInvokeInterface_ machine_table;
JavaVM machine;

jint get_env(JavaVM*, void** env, jint) {
  *env = &native_env;
  return JNI_OK;
}
jint attach(JavaVM*, void** env, void*) {
  *env = &native_env;
  return JNI_OK;
}
jint detach(JavaVM*) { return JNI_OK; }

void make_machine() {
  fill_with_deaths(reinterpret_cast<void**>(&native_table), std::make_index_sequence<kJniEntries>());
  native_table.GetVersion = get_version;
  native_table.FindClass = find_class;
  native_table.GetStaticMethodID = get_static_method;
  native_table.GetMethodID = get_method;
  native_table.CallStaticObjectMethodV = call_static_object;
  native_table.NewObjectV = new_object;
  native_table.NewStringUTF = new_string;
  native_table.GetStringUTFChars = get_string;
  native_table.ReleaseStringUTFChars = release_string;
  native_table.RegisterNatives = register_natives;
  native_env.functions = &native_table;
  machine_table.GetEnv = get_env;
  machine_table.AttachCurrentThread = attach;
  machine_table.AttachCurrentThreadAsDaemon = attach;
  machine_table.DetachCurrentThread = detach;
  machine.functions = &machine_table;
}

// One record of the control protocol; `fd` goes along when it is not negative.
void send_record(const char* text, int fd) {
  iovec part{const_cast<char*>(text), strlen(text)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = ancillary;
    message.msg_controllen = sizeof(ancillary);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
  }
  if (sendmsg(kControlFd, &message, MSG_NOSIGNAL) < 0) _exit(0);
}

[[noreturn]] void fail(const char* sentence, const char* detail) {
  char text[1024];
  snprintf(text, sizeof(text), "E%s: %s", sentence, detail);
  send_record(text, -1);
  _exit(1);
}

void load(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail("the analyzer library cannot be loaded", dlerror());
  auto on_load = reinterpret_cast<jint (*)(JavaVM*, void*)>(dlsym(library, "JNI_OnLoad"));
  if (on_load == nullptr) fail("the analyzer library has no JNI_OnLoad", path);
  on_load(&machine, nullptr);
  if (get_socket_channel == nullptr) fail("the analyzer library registered no getSocketChannel", path);
}

void hand_over_connection() {
  last_fd = -1;
  get_socket_channel(&native_env, reference<jclass>(class_of[3]));
  if (last_fd < 0) {
    send_record("Ethe analyzer library made no connection", -1);
    return;
  }
  send_record("F", last_fd);
  close(last_fd);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) die("usage: googlesql_helper LIBRARY, with a control socket on descriptor", kControlFd);
  close_range(kControlFd + 1, ~0U, 0);  // nothing of the owner's files may outlive it here
  signal(SIGPIPE, SIG_IGN);
  // What the library prints may quote a statement, and statements hold values.
  const int null = open("/dev/null", O_RDWR);
  if (null >= 0) {
    dup2(null, STDOUT_FILENO);
    dup2(null, STDIN_FILENO);
    dup2(null, STDERR_FILENO);
    if (null > kControlFd) close(null);
  }
  make_machine();
  load(arguments[1]);
  send_record("R", -1);
  for (;;) {
    char request = 0;
    const ssize_t size = recv(kControlFd, &request, 1, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) _exit(0);
    if (request == 'C') hand_over_connection();
  }
}
