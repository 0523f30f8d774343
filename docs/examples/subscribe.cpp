// g++ -std=c++17 -O2 subscribe.cpp -lzmq -o subscribe; ./subscribe tcp://127.0.0.1:5560 web-1 mask
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <zmq_addon.hpp>
template <class T> void show(nlohmann::json part, const zmq::message_t& data) {
  const std::size_t rows = part["shape"][0], columns = part["shape"][1];
  if (data.size() != part["nbytes"] || data.size() != 1.0 * rows * columns * sizeof(T))
    throw std::runtime_error("damaged message");
  std::vector<T> stored(rows * columns);  // only now: the sizes agree; little-endian machines
  std::memcpy(stored.data(), data.data(), data.size());
  const double scale = part["scale"], offset = part["offset"];
  const double missing = part["invalid"].is_null() ? NAN : std::stod(std::string(part["invalid"]));
  double low = INFINITY, high = -INFINITY;
  for (const T v : stored)
    if (v == v && v != missing)  // NaN equals nothing, not even itself
      low = std::min(low, v * scale + offset), high = std::max(high, v * scale + offset);
  std::cout << "  " << part["name"] << part["shape"] << " from " << low << " to " << high << "\n";
}
int main(int, char** args) {
  zmq::context_t context;
  zmq::socket_t socket(context, ZMQ_SUB);
  socket.set(zmq::sockopt::rcvhwm, 8);
  const std::string root = std::string("linescan/1/") + args[2] + "/";
  for (char** k = args + 3; *k; ++k) socket.set(zmq::sockopt::subscribe, root + *k + "/");
  socket.connect(args[1]);
  socket.set(zmq::sockopt::subscribe, root + "event/");  // after connecting: we are counted by it
  for (nlohmann::json header = {{"type", ""}}; header["type"] != "end";) {
    const zmq::multipart_t frames(socket);
    header = nlohmann::json::parse(frames.at(1).to_string_view());
    std::cout << header["type"] << header["seq"] << " " << header["objects"].size() << std::endl;
    for (std::size_t i = 0; i < header["parts"].size(); ++i) {
      const nlohmann::json& part = header["parts"][i];
      if (part["encoding"] != "raw") continue;  // it is compressed
      if (part["dtype"] == "float32") show<float>(part, frames.at(i + 2));
      if (part["dtype"] == "uint16") show<std::uint16_t>(part, frames.at(i + 2));
      if (part["dtype"] == "uint8") show<std::uint8_t>(part, frames.at(i + 2));
    }
  }
}
