package testserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shared is the PostgreSQL of this test process. It is started by the first test that asks,
// because making a cluster takes seconds.
var shared postgresServer

type postgresServer struct {
	once      sync.Once
	err       error
	dir       string
	lock      *os.File
	port      int
	process   *process
	databases atomic.Int64

	prepared   sync.Once
	prepareErr error
}

// errNoPostgres means that the machine has no PostgreSQL that this process can run.
var errNoPostgres = errors.New("no PostgreSQL server that this process can run")

// Postgres returns the DSN of an empty database of the test's own, dropped at the end of the
// test. All tests of a process share one server, which does not sync to disk.
func Postgres(t testing.TB) string {
	t.Helper()
	runs(t)
	return shared.create(t, "template0")
}

// runs sees to it that the server of the process runs.
func runs(t testing.TB) {
	t.Helper()
	shared.once.Do(func() { shared.err = shared.start() })
	if errors.Is(shared.err, errNoPostgres) {
		Missing(t, shared.err.Error(), "apt-get install postgresql")
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
}

// PostgresCopy is [Postgres] with a copy of a database that prepare filled: the first test of the
// process that asks has it prepared, so that not every test waits for what all begin with.
func PostgresCopy(t testing.TB, prepare func(dsn string) error) string {
	t.Helper()
	runs(t)
	shared.prepared.Do(func() {
		const name = "prepared"
		if shared.prepareErr = shared.exec("CREATE DATABASE " + name + " TEMPLATE template0"); shared.prepareErr == nil {
			shared.prepareErr = prepare(shared.dsn(name))
		}
	})
	if shared.prepareErr != nil {
		t.Fatal(shared.prepareErr)
	}
	return shared.create(t, "prepared")
}

// create makes a database of the test's own.
func (s *postgresServer) create(t testing.TB, template string) (dsn string) {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	if err := s.exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return s.dsn(name)
}

func (s *postgresServer) dsn(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User("postgres"),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// exec runs one statement as the owner of the server.
func (s *postgresServer) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the PostgreSQL of the tests: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

func (s *postgresServer) start() error {
	bin, err := postgresBinaries()
	if err != nil {
		return err
	}
	credential, err := postgresUser()
	if err != nil {
		return err
	}
	removeStale(folderPattern)
	if err := s.makeFolder(credential); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	data := filepath.Join(s.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata="+data, "--username=postgres",
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	s.prepare(initdb, credential)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	for range 5 {
		if s.port, err = freePort(); err != nil {
			return err
		}
		cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
			"-c", "dynamic_shared_memory_type=mmap", "-c", "logging_collector=off", "-c", "log_destination=stderr")
		s.prepare(cmd, credential)
		// SIGQUIT is PostgreSQL's immediate shutdown: it takes its children along.
		s.process, err = start("postgres", cmd, "database system is ready to accept connections", syscall.SIGQUIT)
		if !portTaken(err) {
			break
		}
	}
	return err
}

// stop ends the server, if there is one, and removes its folder.
func (s *postgresServer) stop() {
	if s.process != nil {
		s.process.stop(syscall.SIGQUIT)
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir) // what is left goes with the next process's removeStale
		_ = s.lock.Close()
	}
}

// prepare runs a command of PostgreSQL as its user, in its folder, with English messages.
func (s *postgresServer) prepare(cmd *exec.Cmd, credential *syscall.Credential) {
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "HOME=" + s.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
}

const (
	folderPattern = "malgil-test-postgres-"
	inMemory      = "/dev/shm" // where there is one
)

// makeFolder makes the server's folder, owned by its user, and locks it for as long as this
// process lives. It lies in memory where there is room: to copy a database is to write files, a
// test's worth of them for each.
func (s *postgresServer) makeFolder(credential *syscall.Credential) (err error) {
	if s.dir, err = os.MkdirTemp(memoryFolder(), folderPattern); err != nil { // "" is the temporary folder
		return fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	if s.lock, err = lockFolder(s.dir); err != nil {
		return fmt.Errorf("lock the folder of PostgreSQL: %w", err)
	}
	if credential == nil {
		return nil
	}
	if err := os.Chown(s.dir, int(credential.Uid), int(credential.Gid)); err != nil {
		return fmt.Errorf("give the folder of PostgreSQL to its user: %w", err)
	}
	return nil
}

// removeStale removes folders of test processes that died before they could: their lock is free.
func removeStale(pattern string) {
	var dirs []string
	for _, folder := range []string{os.TempDir(), inMemory} {
		found, err := filepath.Glob(filepath.Join(folder, pattern+"*"))
		if err != nil {
			return // the pattern is ours and well formed
		}
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		// A folder without a lock yet belongs to a process that is just starting.
		if _, err := os.Stat(filepath.Join(dir, lockName)); err != nil {
			continue
		}
		if lock, err := lockFolder(dir); err == nil {
			_ = os.RemoveAll(dir) // another user's folder stays
			_ = lock.Close()
		}
	}
}

const lockName = "lock"

// lockFolder takes the folder's lock, which the kernel frees when the process ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// postgresBinaries returns the folder of the newest PostgreSQL server that Debian installed,
// or the one that initdb in PATH lies in.
func postgresBinaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	slices.SortFunc(found, func(a, b string) int { return postgresVersion(b) - postgresVersion(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errNoPostgres
}

func postgresVersion(initdb string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb)))) // 0 sorts last
	return version
}

// postgresUser returns whom to run the server as: PostgreSQL refuses to run as root, so root
// runs it as the user that Debian's package makes; anyone else runs it as himself (nil).
func postgresUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w: it refuses root, and there is no user postgres", errNoPostgres)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
