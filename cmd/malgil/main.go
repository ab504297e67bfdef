// Command malgil is the engine room behind KakaoTalk channel chatbots; see README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // schedules name time zones, and the image has no files of its own

	"github.com/alecthomas/kong"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/tasks"
)

// The exit codes of every command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitPartly = 3
)

func main() {
	signals, forget := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, stop := context.WithCancel(context.Background())
	context.AfterFunc(signals, func() {
		forget() // a second signal ends the process at once
		stop()
	})
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// commands is every command of malgil.
type commands struct {
	Demo      demoCommand      `cmd:"" help:"Everything in one process on loopback, with a short tour."`
	Load      loadCommand      `cmd:"" help:"How fast an installation on these parts sends, beside one task per person."`
	LoadBare  loadBareCommand  `cmd:"" hidden:"" help:"What load compares the intake with."`
	All       allCommand       `cmd:"" help:"Intake, workers and scheduler in one process."`
	Intake    intakeCommand    `cmd:"" help:"HTTP only."`
	Worker    workerCommand    `cmd:"" help:"Worker pools."`
	Scheduler schedulerCommand `cmd:"" help:"The loops: dispatch, sweep, tidying."`
	Sandbox   sandboxCommand   `cmd:"" help:"Stand-ins for Kakao, KakaoPay, a bank, a carrier of tax invoices and the mailbox. Never for production."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the database schema up to date."`
	Health    healthCommand    `cmd:"" help:"Does the process beside this one answer? For health checks of containers."`
	Doctor    doctorCommand    `cmd:"" help:"Look at this installation: settings, database, queue, services, clocks, disk; exit 1 with a problem."`
	Config    configCommand    `cmd:"" help:"The configuration in force, and new keys."`
	Token     tokenCommand     `cmd:"" help:"API tokens."`
	Audit     auditCommand     `cmd:"" help:"Who did what, and does the log hold."`
	Account   accountCommand   `cmd:"" help:"People and their cards."`
	Card      cardCommand      `cmd:"" help:"Cards: at their owners, and on wallets."`
	Wallet    walletCommand    `cmd:"" help:"Wallets: money, people, cards."`
	Queue     queueCommand     `cmd:"" help:"Queues: how they stand, pauses, tasks that died."`
	Reconcile reconcileCommand `cmd:"" help:"Compare messages, ledger, balances and the providers' books; exit 3 where they differ."`
	Price     priceCommand     `cmd:"" help:"The price list."`
	Bot       botCommand       `cmd:"" help:"Bots: blocks, channels, keys."`
	Broadcast broadcastCommand `cmd:"" help:"Broadcasts: send, watch, look after."`
	Audience  audienceCommand  `cmd:"" help:"Named audiences: people who are uploaded once and used by many broadcasts."`
	Optout    optoutCommand    `cmd:"" help:"Opt-out (수신거부): who refuses the messages of a bot."`
	Consent   consentCommand   `cmd:"" help:"Consent (수신동의): who agrees to the advertising of a bot."`
	Schedule  scheduleCommand  `cmd:"" help:"Broadcasts to named audiences, again and again by the calendar."`
	Webhook   webhookCommand   `cmd:"" help:"Webhooks: programs that are told of broadcasts."`
	Invoice   invoiceCommand   `cmd:"" help:"Monthly tax invoices (세금계산서) of business wallets."`
	Mail      mailCommand      `cmd:"" help:"Mails and tax invoices as people see them."`

	Version kong.VersionFlag `help:"Print the version."`
}

// env is what a command runs with.
type env struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger

	// unreadable is everything that is wrong with the settings, where some cannot be read; they have
	// their defaults. Only a [teller] is run with it.
	unreadable error
}

// teller is a command that runs with settings that cannot be read, and tells of them itself.
type teller interface{ tells() }

// words puts into the help and the defaults of commands what these say by a name. As variables of kong
// they would be read again, whole, for each flag that there is.
func words() kong.Option {
	named := strings.NewReplacer("${queues}", strings.Join(tasks.Queues, ","), "${fileHelp}", fileHelp,
		"${rules}", anyOf(scenario.Whys), "${outcomes}", anyOf(scenario.Recorded))
	return kong.PostBuild(func(k *kong.Kong) error {
		return kong.Visit(k.Model, func(part kong.Visitable, next kong.Next) error {
			if value, is := part.(*kong.Value); is {
				value.Help, value.Default = named.Replace(value.Help), named.Replace(value.Default)
			}
			return next(nil)
		})
	})
}

func anyOf[T ~string](words []T) string {
	all := make([]string, len(words))
	for i, word := range words {
		all[i] = string(word)
	}
	return strings.Join(all, ", ")
}

// run is the whole program, so that a test can start it more than once.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var cli commands
	exited := -1
	cannotRead := unreadable{}
	parser, err := kong.New(&cli, append(cannotRead.options(),
		kong.Name("malgil"),
		permissions(),
		kong.Description("The engine room behind KakaoTalk channel chatbots."),
		kong.UsageOnError(),
		words(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"version": "malgil " + app.Version},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
	)...)
	if err != nil {
		fmt.Fprintln(stderr, "malgil:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help, --version
	}
	if err != nil {
		fmt.Fprintln(stderr, "malgil:", err)
		return exitUsage
	}
	e := &env{ctx: ctx, stdout: stdout, stderr: stderr, log: slog.New(slog.NewJSONHandler(stderr, nil))}
	if e.unreadable = cannotRead.wrong(parsed); e.unreadable != nil {
		if _, tells := parsed.Selected().Target.Interface().(teller); !tells {
			return exitCode(e.unreadable, stderr)
		}
	}
	return exitCode(parsed.Run(e), stderr)
}

// exitCode prints an error, every problem on a line of its own, and says how the program ends.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	var partly partlyDone
	for _, line := range strings.Split(describe(err), "\n") {
		fmt.Fprintln(stderr, "malgil:", line)
	}
	switch {
	case errors.As(err, &partly):
		return exitPartly
	case fault.KindOf(err) == fault.Invalid:
		return exitUsage
	}
	return exitFailed
}

// describe names the setting or field in front of each problem.
func describe(err error) string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var lines []string
		for _, one := range joined.Unwrap() {
			lines = append(lines, describe(one))
		}
		return strings.Join(lines, "\n")
	}
	var e *fault.Error
	if errors.As(err, &e) && e.Field != "" {
		return e.Field + " " + err.Error()
	}
	return err.Error()
}

// partlyDone is an error of work of which some was done.
type partlyDone struct{ error }
