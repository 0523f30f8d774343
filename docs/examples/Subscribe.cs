// dotnet add package NetMQ; dotnet run -- tcp://127.0.0.1:5560 web-1 inspection
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using NetMQ;
using NetMQ.Sockets;

using var socket = new SubscriberSocket();
socket.Options.ReceiveHighWatermark = 8;
socket.Options.Linger = TimeSpan.Zero;
foreach (var kind in args.Skip(2)) socket.Subscribe($"linescan/1/{args[1]}/{kind}/");
socket.Connect(args[0]);
socket.Subscribe($"linescan/1/{args[1]}/event/");  // after connecting: we are counted by it
for (string? type = null; type != "end";) {
    NetMQMessage frames = socket.ReceiveMultipartMessage();
    using var document = JsonDocument.Parse(frames[1].ToByteArray());
    var header = document.RootElement;
    type = header.GetProperty("type").GetString();
    var count = header.TryGetProperty("objects", out var objects) ? objects.GetArrayLength() : 0;
    Console.WriteLine($"{type} {header.GetProperty("seq")} {count}");
    var index = 2;
    foreach (var part in header.GetProperty("parts").EnumerateArray()) {
        var data = frames[index++].ToByteArray();
        string Text(string key) => part.GetProperty(key).ToString();
        if (Text("encoding") != "raw") continue;  // it is compressed
        if (data.Length != part.GetProperty("nbytes").GetInt64()) throw new InvalidDataException("damaged message");
        long rows = part.GetProperty("shape")[0].GetInt64(), columns = part.GetProperty("shape")[1].GetInt64();
        IEnumerable<double> stored = Text("dtype") switch {
            "float32" => MemoryMarshal.Cast<byte, float>(data).ToArray().Select(v => (double)v),
            "uint16" => MemoryMarshal.Cast<byte, ushort>(data).ToArray().Select(v => (double)v),
            _ => data.Select(v => (double)v),
        };
        double scale = part.GetProperty("scale").GetDouble(), offset = part.GetProperty("offset").GetDouble();
        var missing = Text("invalid") is "" or "nan" ? double.NaN : double.Parse(Text("invalid"), CultureInfo.InvariantCulture);
        var known = stored.Where(v => !double.IsNaN(v) && v != missing).Select(v => v * scale + offset).ToList();
        Console.WriteLine($"  {Text("name")} {rows}x{columns} from {known.DefaultIfEmpty().Min()} to {known.DefaultIfEmpty().Max()}");
    }
}
